-- What the bureau rejected is looked for every day; most records are accepted.
create index records_rejected on bureau.records (report_day desc, record_id) where state = 'rejected';
create index batches_newest on bureau.batches (made_at desc, batch_id);
