-- name: lock_open_case
select customer_id, loan_id, k, opened_on, late_since, closed_on, stage, overdue_fen, planned_day, ended_by
from arrears.cases where customer_id = :customer_id and loan_id = :loan_id and closed_on is null for update;

-- name: open_case
insert into arrears.cases (customer_id, loan_id, k, opened_on, late_since, stage, overdue_fen)
select :customer_id::text, :loan_id::text,
    1 + coalesce((select max(k) from arrears.cases where customer_id = :customer_id and loan_id = :loan_id), 0),
    :opened_on, :late_since, :stage, :overdue_fen;

-- name: advance_case
update arrears.cases set stage = :stage, overdue_fen = :overdue_fen
where customer_id = :customer_id and loan_id = :loan_id and closed_on is null;

-- name: note_planned
update arrears.cases set planned_day = :planned_day where customer_id = :customer_id and loan_id = :loan_id and closed_on is null;

-- name: propose_write_off
update arrears.cases set proposed_on = :today where customer_id = :customer_id and loan_id = :loan_id and closed_on is null and proposed_on is null;

-- name: proposed_write_offs
select customer_id, loan_id, proposed_on, overdue_fen from arrears.cases where closed_on is null and proposed_on is not null
order by proposed_on, loan_id;

-- name: close_case
update arrears.cases set closed_on = greatest(:closed_on::date, opened_on), ended_by = :ended_by
where customer_id = :customer_id and loan_id = :loan_id and closed_on is null;

-- name: add_stage_change
insert into arrears.stage_changes (customer_id, loan_id, business_date, stage, days_late, overdue_fen, recorded_at)
values (:customer_id, :loan_id, :business_date, :stage, :days_late, :overdue_fen, :at) on conflict do nothing;

-- name: cases_of
select customer_id, loan_id, k, opened_on, late_since, closed_on, stage, overdue_fen, planned_day, ended_by
from arrears.cases where customer_id = :customer_id order by opened_on, loan_id, k;

-- name: open_cases
select customer_id, loan_id, k, opened_on, late_since, closed_on, stage, overdue_fen, planned_day, ended_by
from arrears.cases where closed_on is null order by late_since, customer_id, loan_id limit :most offset :skip;

-- name: stage_counts
select stage, count(*) as loans, sum(overdue_fen)::bigint as overdue_fen from arrears.cases where closed_on is null group by stage order by stage;

-- name: add_promise
insert into arrears.promises (customer_id, loan_id, k, made_at, day, amount_fen, state)
select :customer_id::text, :loan_id::text,
    1 + coalesce((select max(k) from arrears.promises where customer_id = :customer_id and loan_id = :loan_id), 0),
    :at, :day, :amount_fen, 'open'
returning k;

-- name: open_promises
select k, day, amount_fen from arrears.promises
where customer_id = :customer_id and loan_id = :loan_id and state = 'open' order by day, k for update;

-- name: end_promise
update arrears.promises set state = :state where customer_id = :customer_id and loan_id = :loan_id and k = :k and state = 'open';

-- name: promises_of
select loan_id, k, made_at, day, amount_fen, state from arrears.promises where customer_id = :customer_id order by made_at, loan_id, k;

-- name: ask_hardship
insert into arrears.hardships (customer_id, case_id, loan_id, reason, proof_ref, asked_at, state)
values (:customer_id, :case_id, :loan_id, :reason, :proof_ref, :at, 'asked')
on conflict do nothing;

-- name: answer_hardship
update arrears.hardships set state = :state, months = :months, answered_at = :at, answered_by = :answered_by
where customer_id = :customer_id and case_id = :case_id and state = 'asked';

-- name: find_hardship
select customer_id, case_id, loan_id, reason, proof_ref, asked_at, state, months, answered_at, answered_by
from arrears.hardships where customer_id = :customer_id and case_id = :case_id;

-- name: hardships_of
select customer_id, case_id, loan_id, reason, proof_ref, asked_at, state, months, answered_at, answered_by
from arrears.hardships where customer_id = :customer_id order by asked_at, case_id;

-- name: assign
insert into arrears.assignments (customer_id, loan_id, partner_id, since) values (:customer_id, :loan_id, :partner_id, :since) on conflict do nothing;

-- name: unassign
update arrears.assignments set until = greatest(:until::date, since) where customer_id = :customer_id and loan_id = :loan_id and until is null;

-- name: assignment_of
select partner_id, since from arrears.assignments where customer_id = :customer_id and loan_id = :loan_id and until is null;

-- name: cases_page
select customer_id, loan_id, k, opened_on, late_since, closed_on, stage, overdue_fen, planned_day, ended_by
from arrears.cases where closed_on is null and (:stage::text is null or stage = :stage)
order by late_since, customer_id, loan_id limit :most offset :skip;

-- name: cases_page_count
select count(*) from arrears.cases where closed_on is null and (:stage::text is null or stage = :stage);

-- name: promise_states
select state, count(*)::int as promises from arrears.promises where customer_id = :customer_id and loan_id = :loan_id group by state;
