-- How many records stand at what is counted from the index alone.
create index records_state on bureau.records (state);
