-- name: applications_of
select a.* from boards.applications a join unnest(:customer_ids::text[], :ids::text[]) as k (customer_id, id)
on a.customer_id = k.customer_id and a.application_id = k.id;

-- name: loans_of
select l.* from boards.loans l join unnest(:customer_ids::text[], :ids::text[]) as k (customer_id, id)
on l.customer_id = k.customer_id and l.loan_id = k.id;

-- name: shares_of
select s.* from boards.shares s join unnest(:customer_ids::text[], :ids::text[], :partner_ids::text[]) as k (customer_id, id, partner_id)
on s.customer_id = k.customer_id and s.loan_id = k.id and s.partner_id = k.partner_id;

-- name: cases_of
select c.* from boards.cases c join unnest(:customer_ids::text[], :ids::text[]) as k (customer_id, id)
on c.customer_id = k.customer_id and c.case_id = k.id;

-- name: entry_days_of
select e.* from boards.entry_days e join unnest(:entry_ids::text[], :days::date[]) as k (entry_id, day) on e.entry_id = k.entry_id and e.day = k.day;

-- name: days_of
select * from boards.days where day = any(:days::date[]);

-- name: put_applications
insert into boards.applications select * from jsonb_populate_recordset(null::boards.applications, :rows)
on conflict (customer_id, application_id) do update set
    entry_id = excluded.entry_id, scene = excluded.scene, amount_fen = excluded.amount_fen, months = excluded.months,
    tapped_at = excluded.tapped_at, decided_at = excluded.decided_at, outcome = excluded.outcome, band = excluded.band,
    is_thin_file = excluded.is_thin_file, accepted_at = excluded.accepted_at, signed_at = excluded.signed_at,
    ended_at = excluded.ended_at, ended_why = excluded.ended_why;

-- name: put_loans
insert into boards.loans select * from jsonb_populate_recordset(null::boards.loans, :rows)
on conflict (customer_id, loan_id) do update set
    application_id = excluded.application_id, amount_fen = excluded.amount_fen, months = excluded.months, value_date = excluded.value_date,
    paid_at = excluded.paid_at, signed_at = excluded.signed_at, returned_at = excluded.returned_at, repayments = excluded.repayments,
    repaid_fen = excluded.repaid_fen, left_fen = excluded.left_fen, left_seq = excluded.left_seq, stage = excluded.stage,
    days_late = excluded.days_late, overdue_fen = excluded.overdue_fen, stage_seq = excluded.stage_seq, asset_class = excluded.asset_class,
    class_seq = excluded.class_seq, settled_on = excluded.settled_on, written_off_fen = excluded.written_off_fen,
    recovered_fen = excluded.recovered_fen, is_first_loan = excluded.is_first_loan;

-- name: put_shares
insert into boards.shares select * from jsonb_populate_recordset(null::boards.shares, :rows)
on conflict (customer_id, loan_id, partner_id) do update set share_fen = excluded.share_fen, share_ppm = excluded.share_ppm;

-- name: put_cases
insert into boards.cases select * from jsonb_populate_recordset(null::boards.cases, :rows)
on conflict (customer_id, case_id) do update set
    kind = excluded.kind, opened_at = excluded.opened_at, due = excluded.due, closed_at = excluded.closed_at, outcome = excluded.outcome;

-- name: put_entry_days
insert into boards.entry_days select * from jsonb_populate_recordset(null::boards.entry_days, :rows)
on conflict (entry_id, day) do update set sessions = excluded.sessions;

-- name: put_days
insert into boards.days select * from jsonb_populate_recordset(null::boards.days, :rows)
on conflict (day) do update set
    registered = excluded.registered, repayments = excluded.repayments, late_repayments = excluded.late_repayments,
    repaid_fen = excluded.repaid_fen, reversed_fen = excluded.reversed_fen, failed_collects = excluded.failed_collects,
    failed_pay_outs = excluded.failed_pay_outs, messages = excluded.messages, is_closed = excluded.is_closed;

-- name: forget_applications
delete from boards.applications;

-- name: forget_loans
delete from boards.loans;

-- name: forget_shares
delete from boards.shares;

-- name: forget_cases
delete from boards.cases;

-- name: forget_entry_days
delete from boards.entry_days;

-- name: forget_days
delete from boards.days;

-- name: all_applications
select * from boards.applications;

-- name: all_loans
select * from boards.loans;

-- name: all_shares
select * from boards.shares;

-- name: all_cases
select * from boards.cases;

-- name: all_entry_days
select * from boards.entry_days;

-- name: all_days
select * from boards.days;

-- name: funnel
select count(*) filter (where tapped_at is not null)                              as received,
       count(*) filter (where outcome = 'offer')                                  as offered,
       count(*) filter (where outcome = 'declined')                               as declined,
       count(*) filter (where outcome = 'proof')                                  as asked_for_proof,
       count(*) filter (where accepted_at is not null)                            as accepted,
       count(*) filter (where a.signed_at is not null)                            as signed,
       count(*) filter (where l.paid_at is not null and l.returned_at is null)    as paid_out,
       count(*) filter (where l.settled_on is not null)                           as settled,
       count(*) filter (where ended_why = 'expired')                              as expired,
       count(*) filter (where ended_why = 'cancelled')                            as cancelled
from boards.applications a
left join boards.loans l on l.customer_id = a.customer_id and l.application_id = a.application_id
where (:since::timestamptz is null or tapped_at >= :since) and (:until::timestamptz is null or tapped_at < :until);

-- name: entries
select e.entry_id, coalesce(s.sessions, 0)::bigint as sessions, coalesce(p.applications, 0) as applications, coalesce(p.offered, 0) as offered,
       coalesce(p.paid_out, 0) as paid_out, coalesce(p.paid_out_fen, 0)::bigint as paid_out_fen
from (select entry_id from boards.entry_days union select entry_id from boards.applications where entry_id is not null) e
left join (select entry_id, sum(sessions) as sessions from boards.entry_days group by entry_id) s using (entry_id)
left join (
    select a.entry_id, count(*) as applications, count(*) filter (where a.outcome = 'offer') as offered,
           count(*) filter (where l.paid_at is not null and l.returned_at is null) as paid_out,
           sum(l.amount_fen) filter (where l.paid_at is not null and l.returned_at is null) as paid_out_fen
    from boards.applications a left join boards.loans l on l.customer_id = a.customer_id and l.application_id = a.application_id
    group by a.entry_id
) p using (entry_id)
order by e.entry_id;

-- name: money
select coalesce(d.day, o.day) as day, coalesce(o.loans, 0) as loans_paid_out, coalesce(o.paid_out_fen, 0)::bigint as paid_out_fen,
       coalesce(d.repayments, 0) as repayments, coalesce(d.late_repayments, 0) as late_repayments, coalesce(d.repaid_fen, 0) as repaid_fen,
       coalesce(d.failed_collects, 0) as failed_collects, coalesce(d.is_closed, false) as is_closed
from boards.days d
full join (
    select value_date as day, count(*) as loans, sum(amount_fen) as paid_out_fen
    from boards.loans where value_date is not null and returned_at is null group by value_date
) o on o.day = d.day
where (:since::date is null or coalesce(d.day, o.day) >= :since) and (:until::date is null or coalesce(d.day, o.day) < :until)
order by 1;

-- name: speed
select count(*) as loans,
       (percentile_disc(array[0.5, 0.95, 0.99]) within group (order by (extract(epoch from l.paid_at - a.tapped_at) * 1000)::bigint)) as tap_ms,
       (percentile_disc(array[0.5, 0.95, 0.99]) within group (order by (extract(epoch from l.paid_at - l.signed_at) * 1000)::bigint)) as sign_ms
from boards.loans l join boards.applications a on a.customer_id = l.customer_id and a.application_id = l.application_id
where l.paid_at is not null and a.tapped_at is not null
  and (:since::timestamptz is null or a.tapped_at >= :since) and (:until::timestamptz is null or a.tapped_at < :until);

-- name: arrears
select stage, count(*) as loans, sum(overdue_fen)::bigint as overdue_fen, sum(coalesce(left_fen, amount_fen))::bigint as left_fen
from boards.loans where stage is not null and settled_on is null and written_off_fen = 0 group by stage order by stage;

-- name: standing
select count(*) filter (where paid_at is not null and returned_at is null)                                             as paid_out,
       count(*) filter (where settled_on is not null)                                                                  as settled,
       count(*) filter (where stage is not null and settled_on is null and written_off_fen = 0)                        as in_arrears,
       count(*) filter (where written_off_fen > 0)                                                                     as written_off,
       coalesce(sum(amount_fen) filter (where paid_at is not null and returned_at is null), 0)::bigint                 as paid_out_fen,
       coalesce(sum(repaid_fen), 0)::bigint                                                                            as repaid_fen,
       coalesce(sum(written_off_fen), 0)::bigint                                                                       as written_off_fen,
       coalesce(sum(recovered_fen), 0)::bigint                                                                         as recovered_fen
from boards.loans;

-- name: funding
select s.partner_id, count(*) as loans, sum(s.share_fen)::bigint as share_fen
from boards.shares s join boards.loans l on l.customer_id = s.customer_id and l.loan_id = s.loan_id
where l.paid_at is not null and l.returned_at is null group by s.partner_id order by s.partner_id;

-- name: thin_file
select count(*) filter (where a.is_thin_file)                                                                as decided,
       count(*) filter (where a.is_thin_file and a.outcome = 'offer')                                        as offered,
       count(*) filter (where a.is_thin_file and l.paid_at is not null and l.returned_at is null)            as paid_out,
       count(*) filter (where l.is_first_loan)                                                               as first_loans,
       count(distinct a.customer_id) filter (where l.is_first_loan)                                          as first_loan_customers
from boards.applications a left join boards.loans l on l.customer_id = a.customer_id and l.application_id = a.application_id;

-- name: cases
select kind, count(*) as opened, count(*) filter (where closed_at is not null) as closed,
       count(*) filter (where closed_at is null and due < :today) as overdue
from boards.cases where kind is not null group by kind order by kind;

