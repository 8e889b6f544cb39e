-- name: add_loan
insert into ledger.loans (customer_id, loan_id, application_id, product, convention, convention_sha256, contract_sha256, principal_fen,
    rate_ppm, months, method, partition, opened_on, standing, asset_class, booked_on, principal_owed_fen, own_principal_fen, credit_fen,
    due_fen, accrual)
values (:customer_id, :loan_id, :application_id, :product, :convention, :convention_sha256, :contract_sha256, :principal_fen,
    :rate_ppm, :months, :method, :partition, :opened_on, 'void', 'normal', :opened_on, 0, 0, 0, 0, '{}')
on conflict do nothing;

-- name: add_legs
insert into ledger.legs (customer_id, loan_id, leg, partner_id, share_ppm, share_fen)
select :customer_id, :loan_id, leg, partner_id, share_ppm, share_fen
from unnest(:legs::smallint[], :partner_ids::text[], :shares_ppm::int[], :shares_fen::bigint[]) as one (leg, partner_id, share_ppm, share_fen);

-- name: add_charge_allowed
insert into ledger.charges_allowed (customer_id, loan_id, code, payee, amount_fen) values (:customer_id, :loan_id, :code, :payee, :amount_fen)
on conflict (customer_id, loan_id, code, payee) do update set amount_fen = ledger.charges_allowed.amount_fen + excluded.amount_fen;

-- name: charge_allowed
select amount_fen from ledger.charges_allowed where customer_id = :customer_id and loan_id = :loan_id and code = :code and payee = :payee;

-- name: lock_loan
-- Locks the loan's row, so that two changes of one loan, or a change and a day's end, wait for each other. What has been closed meanwhile is
-- read afterwards by a statement of its own: the one that waited still sees the world from before it waited.
select 1 from ledger.loans where customer_id = :customer_id and loan_id = :loan_id for update;

-- name: find_loan
select l.*, (select max(d.business_date) from ledger.day_ends d where d.partition = l.partition) as closed_to
from ledger.loans l where l.customer_id = :customer_id and l.loan_id = :loan_id;

-- name: loans_by_id
select l.*, (select max(d.business_date) from ledger.day_ends d where d.partition = l.partition) as closed_to
from ledger.loans l where l.loan_id = any(:loan_ids::text[]) order by l.loan_id;

-- name: loans_of
select l.*, (select max(d.business_date) from ledger.day_ends d where d.partition = l.partition) as closed_to
from ledger.loans l where l.customer_id = :customer_id order by l.opened_on, l.loan_id;

-- name: loans_in_partition
-- The partition's loans on whose books time works.
select l.*, (select max(d.business_date) from ledger.day_ends d where d.partition = l.partition and d.business_date < :business_date) as closed_to
from ledger.loans l
where l.partition = :partition and l.opened_on <= :business_date and l.standing = 'active'
order by l.customer_id, l.loan_id for update of l;

-- name: legs_in
select customer_id, loan_id, partner_id, share_ppm from ledger.legs where loan_id = any(:loan_ids::text[]) order by customer_id, loan_id, leg;

-- name: events_in
select customer_id, loan_id, no, kind, value_date, business_date, recorded_at, event_key, facts, receipt
from ledger.loan_events where loan_id = any(:loan_ids::text[]) order by customer_id, loan_id, no;

-- name: find_event
select loan_id, no, kind, value_date, business_date, recorded_at, event_key, facts, receipt
from ledger.loan_events where customer_id = :customer_id and event_key = :event_key;

-- name: add_event
-- Nothing is written into a closed month.
insert into ledger.loan_events (customer_id, loan_id, no, kind, value_date, business_date, recorded_at, event_key, facts, receipt)
select :customer_id::text, :loan_id::text, :no::int, :kind::text, :value_date::date, :business_date::date, :recorded_at::timestamptz,
    :event_key::text, :facts::jsonb, :receipt::jsonb
where not exists (select 1 from ledger.periods where month = to_char(:business_date::date, 'YYYY-MM'));

-- name: add_leg_parts
insert into ledger.leg_parts (customer_id, loan_id, no, partner_id, business_date, value_date, event, drawn_fen, principal_fen, interest_fen, penalty_fen,
    waived_principal_fen, waived_interest_fen)
values (:customer_id, :loan_id, :no, :partner_id, :business_date, :value_date, :event, :drawn_fen, :principal_fen, :interest_fen, :penalty_fen,
    :waived_principal_fen, :waived_interest_fen);

-- name: add_posting
insert into ledger.postings (customer_id, posting_id, loan_id, no, kind, product, business_date, value_date, recorded_at, key, accounts, owners, amounts_fen)
values (:customer_id, :posting_id, :loan_id::text, :no::int, :kind, :product, :business_date, :value_date, :recorded_at, :key,
    :accounts::text[], :owners::text[], :amounts_fen::bigint[]);

-- name: find_posting
select posting_id, kind, product, business_date, value_date, key, accounts, owners, amounts_fen
from ledger.postings where customer_id = :customer_id and posting_id = :posting_id;

-- name: set_standing
update ledger.loans
set events = :events, standing = :standing, asset_class = :asset_class, stage = :stage, is_nonaccrual = :is_nonaccrual,
    class_at_restructure = :class_at_restructure::text, booked_on = :booked_on, principal_owed_fen = :principal_owed_fen,
    own_principal_fen = :own_principal_fen, credit_fen = :credit_fen, due_fen = :due_fen, oldest_unpaid_due = :oldest_unpaid_due::date,
    next_due = :next_due::date, accrual = :accrual
where customer_id = :customer_id and loan_id = :loan_id;

-- name: add_class_change
insert into ledger.class_changes (customer_id, loan_id, business_date, before, after, days_late)
values (:customer_id, :loan_id, :business_date, :before, :after, :days_late)
on conflict (customer_id, loan_id, business_date) do update set after = excluded.after, days_late = excluded.days_late;

-- name: class_on
-- The class of a loan at the end of a day: what the last change up to it made of it.
select after from ledger.class_changes
where customer_id = :customer_id and loan_id = :loan_id and business_date <= :day order by business_date desc limit 1;

-- name: restructured
select distinct loan_id from ledger.loan_events where kind = 'restructured';

-- name: borrower_of
select customer_id from ledger.loans where loan_id = :loan_id limit 1;

-- name: class_since
select business_date from ledger.class_changes
where customer_id = :customer_id and loan_id = :loan_id and business_date <= :day order by business_date desc limit 1;

-- name: is_month_closed
select exists (select 1 from ledger.periods where month = :month);

-- name: close_month
insert into ledger.periods (month, closed_at, approval_id) values (:month, :closed_at, :approval_id) on conflict (month) do nothing;

-- name: lock_partition
select pg_advisory_xact_lock(hashtextextended('ledger|day-end|' || :partition::int::text, 0));

-- name: find_day_end
select business_date, partition, loans, late, folded, accrued_interest_fen, accrued_penalty_fen, provision_fen, snapshot_sha256
from ledger.day_ends where partition = :partition and business_date = :business_date;

-- name: last_day_end
select business_date, partition, loans, late, folded, accrued_interest_fen, accrued_penalty_fen, provision_fen, snapshot_sha256
from ledger.day_ends where partition = :partition order by business_date desc limit 1;

-- name: add_day_end
insert into ledger.day_ends (business_date, partition, loans, late, folded, accrued_interest_fen, accrued_penalty_fen, provision_fen, snapshot_sha256, closed_at)
values (:business_date, :partition, :loans, :late, :folded, :accrued_interest_fen, :accrued_penalty_fen, :provision_fen, :snapshot_sha256, :closed_at);

-- name: closed_until
select max(business_date) from ledger.closed_days;

-- name: partitions_closed
select count(*) from ledger.day_ends where business_date = :business_date;

-- name: close_day
insert into ledger.closed_days (business_date, closed_at) values (:business_date, :closed_at) on conflict (business_date) do nothing;

-- name: add_document
insert into ledger.documents (customer_id, sha256, loan_id, kind, made_on, body) values (:customer_id, :sha256, :loan_id, :kind, :made_on, :body)
on conflict (customer_id, sha256) do nothing;

-- name: find_document
select body from ledger.documents where customer_id = :customer_id and sha256 = :sha256;

-- name: payments_of
select loan_id, no, kind, value_date, business_date, recorded_at, event_key, facts, receipt
from ledger.loan_events where customer_id = :customer_id and kind = 'paid' order by loan_id, no;

-- name: trial_balance
select line.account, line.owner, sum(greatest(line.fen, 0))::bigint as debit_fen, sum(greatest(-line.fen, 0))::bigint as credit_fen, sum(line.fen)::bigint as balance_fen
from ledger.postings p, unnest(p.accounts, p.owners, p.amounts_fen) as line (account, owner, fen)
where p.business_date <= :as_of
group by line.account, line.owner order by line.account, line.owner;

-- name: general_ledger
select p.business_date, p.value_date, p.posting_id, p.kind, p.product, p.loan_id, line.account, line.owner, line.fen as amount_fen
from ledger.postings p, unnest(p.accounts, p.owners, p.amounts_fen) with ordinality as line (account, owner, fen, place)
where p.business_date >= :since and p.business_date < :until
order by p.business_date, p.recorded_at, p.customer_id, p.posting_id, line.place;

-- name: balance_of
select coalesce(sum(line.fen), 0)::bigint
from ledger.postings p, unnest(p.accounts, p.owners, p.amounts_fen) as line (account, owner, fen)
where p.business_date <= :as_of and line.account = :account and line.owner = :owner;

-- name: own_share_taken
-- What came in for our own legs up to a day; it lies in the clearing account until it is swept.
select coalesce(sum(l.principal_fen + l.interest_fen + l.penalty_fen), 0)::bigint
from ledger.leg_parts l where l.partner_id = :partner_id and l.business_date <= :as_of;

-- name: swept
select coalesce(sum(line.fen), 0)::bigint
from ledger.postings p, unnest(p.accounts, p.owners, p.amounts_fen) as line (account, owner, fen)
where p.business_date <= :as_of and p.kind = 'swept' and line.account = 'cash' and line.owner = :main;

-- name: loans_due
select customer_id, loan_id, standing, oldest_unpaid_due, next_due
from ledger.loans
where standing = 'active' and loan_id > :after and least(oldest_unpaid_due, next_due) <= :day
order by loan_id limit :most;

-- name: loans_due_on
select customer_id, loan_id from ledger.loans where standing = 'active' and next_due = :day order by loan_id;

-- name: credit_balances
select customer_id, loan_id, credit_fen from ledger.loans where credit_fen > 0 order by loan_id;

-- name: owed_by
select coalesce(sum(principal_owed_fen), 0)::bigint from ledger.loans where customer_id = :customer_id;

-- name: owed_by_everybody
select customer_id, sum(principal_owed_fen)::bigint as owed_fen from ledger.loans where principal_owed_fen > 0 group by customer_id order by customer_id;

-- name: loan_ids
select customer_id, loan_id from ledger.loans where loan_id > :after order by loan_id limit :most;

-- name: provision_base
select asset_class, sum(own_principal_fen)::bigint as principal_fen
from ledger.loans where partition = :partition and standing = 'active' group by asset_class order by asset_class;

-- name: funder_events
select business_date, value_date, loan_id, event, no, drawn_fen, principal_fen, interest_fen, penalty_fen,
    (select g.share_ppm from ledger.legs g where g.customer_id = p.customer_id and g.loan_id = p.loan_id and g.partner_id = p.partner_id) as share_ppm
from ledger.leg_parts p
where partner_id = :partner_id and business_date = :business_date order by loan_id, no;

-- name: partner_book
-- A partner's loans that may owe it something on a day, each with what its leg lent, got and gave up by then.
select l.*, (select max(d.business_date) from ledger.day_ends d where d.partition = l.partition) as closed_to,
    p.principal_left_fen, p.interest_taken_fen
from ledger.loans l
join (
    select customer_id, loan_id, sum(drawn_fen - principal_fen - waived_principal_fen)::bigint as principal_left_fen,
        sum(interest_fen + waived_interest_fen)::bigint as interest_taken_fen
    from ledger.leg_parts where partner_id = :partner_id and business_date <= :day group by customer_id, loan_id
) p using (customer_id, loan_id)
where l.standing in ('active', 'written_off') or l.booked_on > :day
order by l.loan_id;

-- name: leg_parts_of
select no, partner_id, business_date, value_date, event, drawn_fen, principal_fen, interest_fen, penalty_fen
from ledger.leg_parts where customer_id = :customer_id and loan_id = :loan_id order by no, partner_id;

-- name: add_unmatched
insert into ledger.unmatched (receipt_id, amount_fen, account, received_on) values (:receipt_id, :amount_fen, :account, :received_on)
on conflict (receipt_id) do nothing;

-- name: lock_unmatched
select receipt_id, amount_fen, account, received_on, state, ended_by from ledger.unmatched where receipt_id = :receipt_id for update;

-- name: end_unmatched
update ledger.unmatched set state = :state, ended_by = :ended_by where receipt_id = :receipt_id and state = 'waiting';

-- name: unmatched
select receipt_id, amount_fen, account, received_on, state, ended_by from ledger.unmatched where state = 'waiting' order by received_on, receipt_id;

-- name: postings_of
select posting_id, loan_id, kind, business_date, value_date, accounts, owners, amounts_fen
from ledger.postings where customer_id = :customer_id order by business_date, recorded_at, posting_id;

-- name: unbalanced_postings
select customer_id, posting_id from ledger.postings where (select coalesce(sum(fen), 0) from unnest(amounts_fen) as fen) <> 0 limit 20;

-- name: unknown_accounts
select distinct line.account from ledger.postings p, unnest(p.accounts) as line (account) where line.account <> all (:codes::text[]) limit 20;

-- name: gaps_in_events
select l.customer_id, l.loan_id from ledger.loans l
left join ledger.loan_events e using (customer_id, loan_id)
group by l.customer_id, l.loan_id, l.events having count(e.no) <> l.events or coalesce(max(e.no), 0) <> l.events limit 20;

-- name: legs_not_whole
select customer_id, loan_id from ledger.legs group by customer_id, loan_id
having sum(share_ppm) <> 1000000 or sum(share_fen) <> (select l.principal_fen from ledger.loans l where l.customer_id = legs.customer_id and l.loan_id = legs.loan_id)
limit 20;

-- name: charges_not_allowed
select e.loan_id, e.facts ->> 'code' as code
from ledger.loan_events e
left join ledger.charges_allowed a on a.customer_id = e.customer_id and a.loan_id = e.loan_id and a.code = e.facts ->> 'code' and a.payee = e.facts ->> 'payee'
where e.kind = 'charged'
group by e.customer_id, e.loan_id, e.facts ->> 'code', e.facts ->> 'payee'
having sum((e.facts ->> 'amount_fen')::bigint) > coalesce(max(a.amount_fen), 0) limit 20;

-- name: leg_sums
select p.customer_id, p.loan_id, p.partner_id, sum(p.drawn_fen)::bigint as drawn_fen, sum(p.principal_fen)::bigint as principal_fen,
    sum(p.interest_fen)::bigint as interest_fen, sum(p.penalty_fen)::bigint as penalty_fen
from ledger.leg_parts p where p.loan_id = any(:loan_ids::text[]) group by p.customer_id, p.loan_id, p.partner_id;

-- name: day_ends_with_gaps
select partition, business_date from (
    select partition, business_date, lag(business_date) over (partition by partition order by business_date) as before from ledger.day_ends
) each where before is not null and business_date <> before + 1 limit 20;

-- name: postings_in_closed_months
select p.posting_id from ledger.postings p join ledger.periods m on m.month = to_char(p.business_date, 'YYYY-MM') and p.recorded_at > m.closed_at limit 20;

-- name: postings_of_loan
select posting_id, no, kind, business_date, value_date, recorded_at, accounts, owners, amounts_fen
from ledger.postings where customer_id = :customer_id and loan_id = :loan_id order by business_date desc, no desc nulls last, posting_id limit :most;

-- name: day_ends_by_day
select d.business_date, count(*) as partitions, sum(d.loans)::bigint as loans, sum(d.late)::bigint as late, sum(d.folded)::bigint as folded,
       sum(d.accrued_interest_fen)::bigint as accrued_interest_fen, sum(d.accrued_penalty_fen)::bigint as accrued_penalty_fen,
       sum(d.provision_fen)::bigint as provision_fen, min(d.closed_at) as began_at, max(d.closed_at) as ended_at,
       bool_or(c.business_date is not null) as is_closed
from ledger.day_ends d left join ledger.closed_days c using (business_date)
group by d.business_date order by d.business_date desc limit :most offset :skip;

-- name: count_day_ends
select count(distinct business_date) from ledger.day_ends where partition = 0;

-- name: add_day_balances
insert into ledger.day_balances (business_date, account, owner, debit_fen, credit_fen)
select p.business_date, line.account, line.owner, sum(greatest(line.fen, 0)), sum(greatest(-line.fen, 0))
from ledger.postings p, unnest(p.accounts, p.owners, p.amounts_fen) as line (account, owner, fen)
where p.business_date = :business_date
group by p.business_date, line.account, line.owner;

-- name: balances
-- The trial balance from what is kept of closed days, and the lines of the days since.
select account, owner, sum(debit_fen)::bigint as debit_fen, sum(credit_fen)::bigint as credit_fen, sum(debit_fen - credit_fen)::bigint as balance_fen
from (
    select account, owner, debit_fen, credit_fen from ledger.day_balances where business_date <= :as_of::date
    union all
    select line.account, line.owner, greatest(line.fen, 0), greatest(-line.fen, 0)
    from ledger.postings p, unnest(p.accounts, p.owners, p.amounts_fen) as line (account, owner, fen)
    where p.business_date <= :as_of::date
      and p.business_date > coalesce((select max(business_date) from ledger.closed_days where business_date <= :as_of::date), '-infinity')
) as each group by account, owner order by account, owner;

-- name: day_balances_wrong
-- What is kept of a closed day and what its postings add up to disagree.
select business_date, account, owner, kept.debit_fen as kept_debit_fen, posted.debit_fen, kept.credit_fen as kept_credit_fen, posted.credit_fen
from ledger.day_balances kept full join (
    select p.business_date, line.account, line.owner, sum(greatest(line.fen, 0))::bigint as debit_fen, sum(greatest(-line.fen, 0))::bigint as credit_fen
    from ledger.postings p join ledger.closed_days c using (business_date), unnest(p.accounts, p.owners, p.amounts_fen) as line (account, owner, fen)
    group by p.business_date, line.account, line.owner) posted using (business_date, account, owner)
where (kept.debit_fen, kept.credit_fen) is distinct from (posted.debit_fen, posted.credit_fen);
