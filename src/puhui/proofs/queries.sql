-- What must hold between rooms, over the whole database. Every statement gives what breaks its invariant: no row is good.

-- name: orders_not_booked_once
-- The end of an order and what was booked of it disagree.
with b as (
    select payment_order_id, count(*) filter (where kind = 'paid') as paid, count(*) filter (where kind = 'failed') as failed,
           count(*) filter (where kind = 'returned') as returned
    from payments.booked group by payment_order_id)
select o.payment_order_id, o.state, coalesce(b.paid, 0) as paid, coalesce(b.failed, 0) as failed, coalesce(b.returned, 0) as returned
from payments.orders o left join b using (payment_order_id)
where coalesce(b.paid, 0) <> (o.state in ('paid', 'returned'))::int
   or coalesce(b.failed, 0) <> (o.state = 'failed')::int
   or coalesce(b.returned, 0) <> (o.state = 'returned')::int;

-- name: money_not_in_books
-- An order that was paid has no entry of its sum in the books.
select o.payment_order_id, o.purpose, o.done_fen from payments.orders o
where o.state in ('paid', 'returned') and not case
    when o.purpose = 'disburse' then exists (
        select 1 from ledger.loan_events e join ledger.loans l using (customer_id, loan_id)
        where e.customer_id = o.customer_id and e.event_key = o.payment_order_id || ':disbursed' and l.principal_fen = o.done_fen)
    when o.purpose in ('due', 'prepay', 'payoff', 'by_mandate', 'shop_refund') then exists (
        select 1 from ledger.loan_events e where e.customer_id = o.customer_id and e.event_key = o.payment_order_id || ':paid'
            and (e.facts ->> 'amount_fen')::bigint = o.done_fen)
    when o.purpose = 'credit_back' then exists (
        select 1 from ledger.loan_events e where e.customer_id = o.customer_id and e.event_key = o.payment_order_id || ':credit-back'
            and (e.facts ->> 'amount_fen')::bigint = o.done_fen)
    when o.purpose = 'shop_return' then exists (
        select 1 from ledger.loan_events e where e.customer_id = o.customer_id and e.event_key = o.payment_order_id || ':refunded'
            and (e.facts ->> 'amount_fen')::bigint = o.done_fen)
    else exists (select 1 from ledger.postings p where p.key = o.payment_order_id and p.kind in ('settled', 'swept') and o.done_fen = any (p.amounts_fen))
end;

-- name: books_without_money
-- An entry of money has no order that was paid, and no money received, behind it.
select e.loan_id, e.no, e.kind, e.event_key from ledger.loan_events e
where e.kind in ('disbursed', 'paid', 'credit_paid_out')
  and not exists (
        select 1 from payments.orders o where o.customer_id = e.customer_id and o.loan_id = e.loan_id and o.state in ('paid', 'returned')
            and e.event_key = o.payment_order_id || case e.kind when 'disbursed' then ':disbursed' when 'paid' then ':paid' else ':credit-back' end)
  and not (e.kind = 'paid' and exists (
        select 1 from payments.receipts r where r.state = 'matched' and r.loan_id = e.loan_id and e.event_key = r.receipt_id || ':paid'));

-- name: returns_not_in_books
select o.payment_order_id, o.purpose from payments.orders o
where o.state = 'returned'
  and not exists (select 1 from ledger.loan_events e where e.customer_id = o.customer_id and e.event_key = o.payment_order_id || ':returned')
  and not exists (select 1 from ledger.postings p where p.key = o.payment_order_id and p.kind = 'settlement_returned')
  and not exists (select 1 from ledger.unmatched u where u.receipt_id = o.payment_order_id);

-- name: cash_unlike_orders
-- The cash of our two accounts is not what opening, orders and received money make of it.
with lines as (
    select p.kind, l.account, l.owner, l.fen from ledger.postings p
    cross join lateral unnest(p.accounts, p.owners, p.amounts_fen) as l (account, owner, fen)
    where l.account = 'cash'),
told as (
    select owner as account, fen from lines where kind in ('opened', 'partner_fee', 'handed_on', 'sent_back')
    union all
    select s ->> 0, -(s ->> 1)::bigint from payments.orders o cross join lateral jsonb_array_elements(o.sources) as s
    where o.state = 'paid' and o.direction = 'pay_out'
    union all
    select o.target, o.done_fen from payments.orders o where o.state = 'paid'
    union all
    select case o.purpose when 'disburse' then 'lender-main' else 'lender-clearing' end, -o.fee_fen from payments.orders o
    where o.state in ('paid', 'returned')
    union all
    select r.account, r.amount_fen from payments.receipts r)
select a.account, coalesce((select sum(fen) from lines where owner = a.account), 0)::bigint as booked_fen,
       coalesce((select sum(fen) from told where account = a.account), 0)::bigint as moved_fen
from (values ('lender-main'), ('lender-clearing')) as a (account)
where coalesce((select sum(fen) from lines where owner = a.account), 0) <> coalesce((select sum(fen) from told where account = a.account), 0);

-- name: paid_out_twice
select customer_id, loan_id, count(*) as pay_outs from payments.orders where purpose = 'disburse' and state in ('created', 'sent', 'unknown', 'paid')
group by customer_id, loan_id having count(*) > 1;

-- name: collects_over_mandate
select o.payment_order_id, o.amount_fen, m.max_each_fen from payments.orders o left join payments.mandates m
    on m.customer_id = o.customer_id and m.mandate_id = o.mandate_id
where o.mandate_id is not null and (m.mandate_id is null or o.amount_fen > m.max_each_fen or o.ordered_on >= m.until);

-- name: settlements_unpaid
select s.partner_id, s.business_date, s.amount_fen from funding.settlements s left join payments.orders o on o.payment_order_id = s.payment_order_id
where (s.state = 'paid' and (o.state is distinct from 'paid' or o.done_fen <> s.amount_fen))
   or (s.state = 'ordered' and o.payment_order_id is null);

-- name: receipts_not_whole
-- The parts and the credit on a receipt do not make up the payment.
select loan_id, no, (facts ->> 'amount_fen')::bigint as amount_fen from ledger.loan_events
where kind = 'paid' and (facts ->> 'amount_fen')::bigint <> (receipt ->> 'principal_fen')::bigint + (receipt ->> 'interest_fen')::bigint
    + (receipt ->> 'fees_fen')::bigint + (receipt ->> 'penalty_fen')::bigint + (receipt ->> 'credit_fen')::bigint;

-- name: exposures_unlike_ledger
select customer_id, coalesce(e.owed_fen, 0) as exposure_fen, coalesce(l.owed_fen, 0) as ledger_fen
from decisions.exposures e full join (select customer_id, sum(principal_owed_fen)::bigint as owed_fen from ledger.loans group by customer_id) l using (customer_id)
where coalesce(e.owed_fen, 0) <> coalesce(l.owed_fen, 0);

-- name: exposures_over_cap
select customer_id, owed_fen, held_fen, cap_fen from decisions.exposures where owed_fen + held_fen > least(cap_fen, :law_cap_fen);

-- name: holds_astray
-- Exposure is held for a loan that nobody funds or pays any more, or counted as used for one that is not on the books.
select h.customer_id, h.loan_id, h.state from decisions.holds h
left join funding.wants w using (customer_id, loan_id) left join ledger.loans l using (customer_id, loan_id)
where (h.state = 'held' and (w.loan_id is null or l.loan_id is not null)) or (h.state = 'used' and l.loan_id is null);

-- name: loans_beside_their_offer
select h.loan_id, h.amount_fen, o.amount_min_fen, o.amount_max_fen from decisions.holds h
join decisions.offers o on o.customer_id = h.customer_id and o.offer_id = h.offer_id
left join ledger.loans l on l.customer_id = h.customer_id and l.loan_id = h.loan_id
where h.amount_fen not between o.amount_min_fen and o.amount_max_fen or h.amount_fen % o.step_fen <> 0 or not h.months = any (o.months)
   or (l.loan_id is not null and (l.principal_fen, l.months, l.rate_ppm) is distinct from (h.amount_fen, h.months, o.rate_ppm));

-- name: applications_without_decision
select a.customer_id, a.application_id, a.state from decisions.applications a
where (a.state in ('proof', 'offered', 'accepted', 'declined')
       or exists (select 1 from decisions.holds h where h.customer_id = a.customer_id and h.application_id = a.application_id))
  and not exists (select 1 from decisions.records r where r.customer_id = a.customer_id and r.application_id = a.application_id);

-- name: fetches_without_consent
select f.customer_id, f.fetch_id, f.source from histories.fetches f left join customers.consents c
    on c.customer_id = f.customer_id and c.consent_id = f.consent_id
where c.consent_id is null or c.item <> f.source or f.asked_at < c.given_at or f.asked_at >= c.until or f.asked_at > c.withdrawn_at;

-- name: queries_without_consent
select r.customer_id, r.query_id from histories.reports r left join customers.consents c
    on c.customer_id = r.customer_id and c.consent_id = r.consent_id
where c.consent_id is null or c.item <> 'bureau' or r.asked_at < c.given_at or r.asked_at >= c.until or r.asked_at > c.withdrawn_at
union all
select q.customer_id, q.query_id from bureau.queries q left join histories.reports r on r.customer_id = q.customer_id and r.query_id = q.query_id
where r.query_id is null or r.consent_id <> q.consent_id;

-- name: checks_without_consent
select k.customer_id, k.check_id, k.kind from customers.checks k left join customers.consents c
    on c.customer_id = k.customer_id and c.consent_id = k.consent_id
where k.kind <> 'aml' and (c.consent_id is null or k.as_of < c.given_at or k.as_of >= c.until or k.as_of > c.withdrawn_at
    or c.item <> case k.kind when 'face' then 'face' when 'four-factor' then 'financial_account' else 'identity' end);

-- name: partners_told_without_consent
select t.customer_id, t.event_id, t.kind from channels.told t
where t.state = 'taken' and not exists (
    select 1 from customers.consents c where c.customer_id = t.customer_id and c.recipient = t.partner_id
        and c.item = case t.kind when 'declined' then 'partner_declined' else 'partner_events' end
        and c.given_at <= t.at and t.at < c.until and (c.withdrawn_at is null or t.at <= c.withdrawn_at));

-- name: contacts_at_night
select customer_id, message_id, at from contacts.attempts
where verdict = 'allowed' and purpose in ('reminder', 'collection')
  and ((at at time zone 'Asia/Shanghai')::time >= :quiet_from or (at at time zone 'Asia/Shanghai')::time < :quiet_until);

-- name: contacts_after_no
select a.customer_id, a.message_id, a.purpose from contacts.attempts a join contacts.opt_outs o
    on o.customer_id = a.customer_id and o.purpose = a.purpose and o.since < a.at and (o.until is null or o.until > a.at)
where a.verdict = 'allowed';

-- name: messages_past_the_gate
select m.customer_id, m.message_id, m.state from contacts.message_orders m
where m.state in ('allowed', 'sent', 'delivered', 'ended')
  and not exists (select 1 from contacts.attempts a where a.customer_id = m.customer_id and a.message_id = m.message_id and a.verdict = 'allowed');

-- name: bad_marks_before_notice
select r.customer_id, r.record_id, r.loan_id from bureau.records r left join bureau.batches b using (batch_id)
left join bureau.notices n on n.customer_id = r.customer_id and n.loan_id = r.loan_id
where r.is_bad and r.state in ('batched', 'accepted', 'rejected') and (n.told_at is null or n.told_at > b.made_at);

-- name: loans_not_reported
-- A loan's account is opened at the bureau once; who its borrower is (110) is told once a person, with his first loan.
select l.customer_id, l.loan_id from ledger.loans l
where l.standing <> 'void'
  and ((select count(*) from bureau.records r where r.customer_id = l.customer_id and r.loan_id = l.loan_id
        and r.record_type = '210' and r.report_time = '10') <> 1
       or not exists (select 1 from bureau.records r where r.customer_id = l.customer_id and r.record_type = '110'));

-- name: loans_without_signature
-- A loan on the books has no signed contract of its hash, or the money was ordered before the signature.
select l.customer_id, l.loan_id from ledger.loans l left join agreements.tables t
    on t.customer_id = l.customer_id and t.loan_id = l.loan_id and t.state = 'signed' and t.contract_sha256 = l.contract_sha256
left join payments.orders o on o.customer_id = l.customer_id and o.loan_id = l.loan_id and o.purpose = 'disburse' and o.state in ('paid', 'returned')
where t.loan_id is null or t.signed_at > o.ordered_at;

-- name: read_too_fast
select customer_id, loan_id, number from agreements.tables
where state in ('confirmed', 'signed') and (opened_at is null or confirmed_at < opened_at + make_interval(secs => reading_time_s));

-- name: packs_out_of_chain
select customer_id, loan_id, no from (
    select p.*, lag(p.sha256) over chain as before, lag(p.no) over chain as before_no from agreements.packs p
    window chain as (partition by p.customer_id order by p.no)) p
where previous_sha256 <> coalesce(before, repeat('0', 64)) or no <> coalesce(before_no, 0) + 1
   or not exists (select 1 from agreements.documents d where d.customer_id = p.customer_id and d.sha256 = p.sha256 and d.kind = 'evidence')
union all
select l.customer_id, l.loan_id, 0 from ledger.loans l
where not exists (select 1 from agreements.packs p where p.customer_id = l.customer_id and p.loan_id = l.loan_id);

-- name: legs_unlike_funding
select loan_id, partner_id, l.share_fen as ledger_fen, f.share_fen as funding_fen
from (select * from ledger.legs where share_ppm > 0) l full join (
    select * from funding.legs where share_ppm > 0 and (customer_id, loan_id) in (select customer_id, loan_id from ledger.loans)) f
    using (customer_id, loan_id, partner_id)
where (l.share_ppm, l.share_fen) is distinct from (f.share_ppm, f.share_fen);

-- name: legs_without_hold
select g.loan_id, g.partner_id, g.share_fen from ledger.legs g
where g.partner_id <> 'lender' and g.share_fen > 0 and not exists (
    select 1 from funding.holds h where h.customer_id = g.customer_id and h.loan_id = g.loan_id and h.partner_id = g.partner_id
        and h.share_fen = g.share_fen and h.state = 'used');

-- name: purchases_unlike_loans
select p.merchant_id, p.order_id, p.loan_id from channels.purchases p
left join ledger.loans l on l.customer_id = p.customer_id and l.loan_id = p.loan_id
left join payments.orders o on o.customer_id = p.customer_id and o.loan_id = p.loan_id and o.purpose = 'disburse' and o.state in ('paid', 'returned')
where p.funded_on is not null
  and (l.principal_fen is distinct from p.amount_fen or o.target is distinct from 'shop-' || p.merchant_id or (l.standing = 'void') <> (p.cancelled_on is not null));

-- name: shop_refunds_unlike_orders
select r.merchant_id, r.refund_id, r.state from channels.purchase_refunds r left join payments.orders o using (payment_order_id)
where o.payment_order_id is null or (r.state in ('paid', 'given_back') and (o.state <> 'paid' or o.done_fen <> r.amount_fen))
   or (r.state = 'asked' and o.state in ('paid', 'failed', 'returned'));

-- name: events_left_lying
select seq, kind from foundation.events where answered_at is null and at < :before;

-- name: events_set_aside
select seq, why from foundation.parked_events;

-- name: callbacks_left_lying
select service, event_id, kind, tries from foundation.callbacks where read_at is null and (tries >= 20 or received_at < :before);

-- name: living_flows
select kind || '.' || step as name, min(flow_id) as flow_id, count(*) as flows from foundation.flows where ended_at is null group by kind, step;

-- name: flows_late
-- Due an hour ago and not taken by anyone.
select flow_id, kind, step, due from foundation.flows
where ended_at is null and due < :late and (lease_until is null or lease_until < clock_timestamp());

-- name: orders_without_flow
select o.payment_order_id, o.state from payments.orders o
where o.state in ('created', 'sent', 'unknown')
  and not exists (select 1 from foundation.flows f where f.subject = o.payment_order_id and f.kind = 'order' and f.ended_at is null);

-- name: loans_nobody_collects
select l.customer_id, l.loan_id from ledger.loans l join payments.mandates m using (customer_id, loan_id)
where l.standing = 'active' and m.until > :today
  and not exists (select 1 from foundation.flows f where f.subject = l.loan_id and f.kind = 'collect' and f.ended_at is null);

-- name: applications_nobody_decides
select a.customer_id, a.application_id from decisions.applications a
where a.state = 'waiting'
  and not exists (select 1 from foundation.flows f where f.subject = a.application_id and f.kind = 'apply' and f.ended_at is null);

-- name: holds_nobody_minds
-- A hold that is to be let go, or a loan half way between acceptance and signature, with no flow at it.
select h.customer_id, h.loan_id, h.reservation_id from funding.holds h
where h.to_release is not null and h.state in ('asking', 'held', 'confirmed')
  and not exists (select 1 from foundation.flows f where f.subject = h.reservation_id and f.kind = 'release' and f.ended_at is null)
union all
select w.customer_id, w.loan_id, '' from funding.wants w
where w.is_open and not exists (select 1 from ledger.loans l where l.customer_id = w.customer_id and l.loan_id = w.loan_id)
  and not exists (select 1 from agreements.tables t where t.customer_id = w.customer_id and t.loan_id = w.loan_id and t.state = 'signed')
  and not exists (select 1 from foundation.flows f where f.subject = w.loan_id and f.kind = 'accept' and f.ended_at is null);

-- name: messages_nobody_sends
select m.customer_id, m.message_id from contacts.message_orders m
where m.state in ('waiting', 'allowed')
  and not exists (select 1 from foundation.flows f where f.subject = m.message_id and f.kind = 'message' and f.ended_at is null);

-- name: partners_nobody_tells
select t.customer_id, t.event_id from channels.told t
where t.state = 'waiting'
  and not exists (select 1 from foundation.flows f where f.subject = t.application_id and f.kind = 'partner' and f.ended_at is null);

-- name: batches_nobody_sends
select b.batch_id, b.state from bureau.batches b
where b.state <> 'checked'
  and not exists (select 1 from foundation.flows f where f.subject = b.batch_id and f.kind = 'bureau' and f.ended_at is null);

-- name: personal_in_events
-- Something in the log of events looks like an id number, a phone or a card.
select seq, kind from foundation.events
where body::text ~ '(^|[^0-9A-Za-z_.:+-])(\d{17}[0-9Xx]|1[2-9]\d{9}|00\d{14,17})([^0-9A-Za-z_.:+-]|$)';

-- name: people_with_consents
select distinct customer_id from customers.consents where customer_id > :after order by customer_id limit :most;

-- name: loans_to_read
select l.customer_id, l.loan_id, l.principal_fen, l.rate_ppm, l.months, l.convention, l.convention_sha256, l.method, l.opened_on, t.table_sha256,
       l.contract_sha256
from ledger.loans l join agreements.tables t on t.customer_id = l.customer_id and t.loan_id = l.loan_id and t.state = 'signed'
where l.loan_id > :after order by l.loan_id limit :most;

-- name: charges_of_loan
select code, payee, amount_fen from ledger.charges_allowed where customer_id = :customer_id and loan_id = :loan_id order by code, payee;
