-- name: add_query
insert into bureau.queries (customer_id, query_id, reason, consent_id, asked_as_of, recorded_at, found, report_sha256)
values (:customer_id, :query_id, :reason, :consent_id, :asked_as_of, :at, :found, :report_sha256) on conflict do nothing;

-- name: queries_of
select query_id, reason, consent_id, asked_as_of, found from bureau.queries where customer_id = :customer_id order by asked_as_of, query_id;

-- name: add_record
insert into bureau.records (customer_id, record_id, loan_id, record_type, report_time, report_day, opening, standing, is_bad, was_thin_file, state, made_at)
values (:customer_id, :record_id, :loan_id, :record_type, :report_time, :report_day, :opening, :standing, :is_bad, :was_thin_file, :state, :at)
on conflict (customer_id, record_id) do nothing;

-- name: records_of
select customer_id, record_id, loan_id, record_type, report_time, report_day, opening, standing, is_bad, was_thin_file, state, batch_id, line, code
from bureau.records where customer_id = :customer_id order by report_day, record_type, record_id;

-- name: lock_sendable
-- What may be sent now: ready, and nothing older of the same account still waits for its notice or was rejected.
select r.customer_id, r.record_id, r.loan_id, r.record_type, r.report_time, r.report_day, r.opening, r.standing, r.is_bad, r.was_thin_file, r.state,
    r.batch_id, r.line, r.code
from bureau.records r
where r.state = 'ready' and r.report_day <= :until
    and not exists (
        select 1 from bureau.records w
        where w.customer_id = r.customer_id and w.loan_id = r.loan_id and w.state = 'awaiting_notice'
            and (w.report_day, w.record_id) < (r.report_day, r.record_id)
    )
order by r.record_type, r.report_day, case r.report_time when '10' then 0 when '40' then 1 when '30' then 2 else 3 end, r.customer_id, r.record_id
limit :most for update skip locked;

-- name: set_batch
update bureau.records set state = 'batched', batch_id = :batch_id, line = :line where customer_id = :customer_id and record_id = :record_id;

-- name: add_batch
insert into bureau.batches (batch_id, file_name, record_type, business_date, serial, made_at, rows, sha256, state)
values (:batch_id, :file_name, :record_type, :business_date, :serial, :at, :rows, :sha256, 'made');

-- name: next_serial
select 1 + coalesce(max(serial), 0) from bureau.batches where business_date = :business_date and record_type = :record_type;

-- name: find_batch
select batch_id, file_name, record_type, business_date, serial, made_at, rows, sha256, state, accepted, rejected
from bureau.batches where batch_id = :batch_id;

-- name: batches
select batch_id, file_name, record_type, business_date, serial, made_at, rows, sha256, state, accepted, rejected
from bureau.batches order by made_at desc, batch_id limit :most;

-- name: batch_records
select customer_id, record_id, loan_id, record_type, report_time, report_day, opening, standing, is_bad, was_thin_file, state, batch_id, line, code
from bureau.records where batch_id = :batch_id order by line;

-- name: customers_in
select distinct customer_id from bureau.records where batch_id = :batch_id order by customer_id;

-- name: customer_of
select customer_id from bureau.records where loan_id = :loan_id limit 1;

-- name: set_batch_state
update bureau.batches set state = :state, accepted = :accepted::int, rejected = :rejected::int where batch_id = :batch_id and state <> 'checked';

-- name: reject_line
update bureau.records set state = 'rejected', code = :code where batch_id = :batch_id and line = :line and state = 'batched';

-- name: accept_rest
update bureau.records set state = 'accepted' where batch_id = :batch_id and state = 'batched'
returning customer_id, loan_id, record_type, report_time, was_thin_file;

-- name: resend
-- A rejected record goes out again once its cause is mended; its facts are those of now.
update bureau.records set state = 'ready', batch_id = null, line = null, code = null, standing = :standing, opening = :opening
where customer_id = :customer_id and record_id = :record_id and state = 'rejected';

-- name: add_notice
insert into bureau.notices (customer_id, loan_id, message_id, ordered_at) values (:customer_id, :loan_id, :message_id, :at) on conflict do nothing;

-- name: find_notice
select message_id, told_at from bureau.notices where customer_id = :customer_id and loan_id = :loan_id;

-- name: note_told
update bureau.notices set told_at = :at, channel = :channel where message_id = :message_id and told_at is null returning customer_id, loan_id;

-- name: release
update bureau.records set state = 'ready' where customer_id = :customer_id and loan_id = :loan_id and state = 'awaiting_notice';

-- name: counts
select state, count(*) as records from bureau.records group by state order by state;

-- name: add_dispute
insert into bureau.disputes (customer_id, dispute_id, loan_id, month, claim, case_id, due, opened_at)
values (:customer_id, :dispute_id, :loan_id, :month, :claim, :case_id, :due, :at) on conflict do nothing;

-- name: find_dispute
select customer_id, dispute_id, loan_id, month, claim, case_id, due, outcome from bureau.disputes where dispute_id = :dispute_id;

-- name: answer_dispute
update bureau.disputes set outcome = :outcome, answered_at = :at where dispute_id = :dispute_id and outcome is null;

-- name: disputes_of
select dispute_id, loan_id, month, claim, case_id, due, outcome from bureau.disputes where customer_id = :customer_id order by opened_at, dispute_id;

-- name: month_sent
select standing from bureau.records
where customer_id = :customer_id and loan_id = :loan_id and standing is not null
    and (record_type = '212' or report_time in ('30', '32')) and to_char(report_day, 'YYYY-MM') = :month
order by record_type = '212' desc, made_at desc limit 1;

-- name: bad_without_notice
select r.customer_id, r.loan_id, r.record_id from bureau.records r
left join bureau.notices n on n.customer_id = r.customer_id and n.loan_id = r.loan_id and n.told_at is not null
where r.is_bad and r.state in ('batched', 'accepted') and n.loan_id is null;

-- name: rejected_page
select customer_id, record_id, loan_id, record_type, report_time, report_day, state, batch_id, line, code
from bureau.records where state = 'rejected' order by report_day desc, record_id limit :most offset :skip;

-- name: rejected_count
select count(*) from bureau.records where state = 'rejected';

-- name: disputes_open
select customer_id, dispute_id, loan_id, month, claim, case_id, due, opened_at from bureau.disputes
where outcome is null order by due, dispute_id limit :most;

-- name: records_of_loan
select record_id, record_type, report_time, report_day, is_bad, state, batch_id, line, code
from bureau.records where customer_id = :customer_id and loan_id = :loan_id order by report_day, record_id;
