-- name: add_order
insert into payments.orders (customer_id, payment_order_id, loan_id, direction, purpose, amount_fen, sources, target, allow_partial, note,
    mandate_id, ordered_at, ordered_on, state)
values (:customer_id, :payment_order_id, :loan_id, :direction, :purpose, :amount_fen, :sources, :target, :allow_partial, :note,
    :mandate_id, :ordered_at, :ordered_on, :state)
on conflict (payment_order_id) do nothing;

-- name: find_order
select * from payments.orders where payment_order_id = :payment_order_id;

-- name: lock_order
select * from payments.orders where payment_order_id = :payment_order_id for update;

-- name: set_order
update payments.orders set state = :state, rail_id = :rail_id, seq = :seq, done_fen = :done_fen, fee_fen = :fee_fen, ended_at = :ended_at,
    ended_on = :ended_on, returned_at = :returned_at, returned_on = :returned_on, code = :code, tries = :tries
where customer_id = :customer_id and payment_order_id = :payment_order_id;

-- name: orders_of_loan
select * from payments.orders where customer_id = :customer_id and loan_id = :loan_id order by ordered_at, payment_order_id;

-- name: is_repayment_open
select exists (select 1 from payments.orders where customer_id = :customer_id and loan_id = :loan_id and direction = 'collect'
    and state in ('created', 'sent', 'unknown'));

-- name: count_orders
select count(*) from payments.orders where customer_id = :customer_id and loan_id = :loan_id and purpose = :purpose;

-- name: customer_of_loan
select customer_id from payments.orders where loan_id = :loan_id and purpose = 'disburse' and state = 'paid' limit 1;

-- name: orders_not_ended
select payment_order_id, customer_id, state, ordered_at from payments.orders where state in ('created', 'sent', 'unknown') order by ordered_at;

-- name: book
insert into payments.booked (customer_id, payment_order_id, kind, at) values (:customer_id, :payment_order_id, :kind, :at)
on conflict do nothing;

-- name: movements_of_day
-- What we believe the rail moved on a day: transfers that were paid, returns, and money received. What failed moved nothing.
select payment_order_id as key, direction, 'paid' as state, done_fen as amount_fen, fee_fen
from payments.orders where ended_on = :day and state in ('paid', 'returned')
union all
select payment_order_id, direction, 'returned', done_fen, 0 from payments.orders where returned_on = :day and state = 'returned'
union all
select receipt_id, 'received', 'paid', amount_fen, 0 from payments.receipts where received_on = :day;

-- name: add_mandate
insert into payments.mandates (customer_id, mandate_id, loan_id, account, max_each_fen, until, contract_sha256, is_on, changed_at)
values (:customer_id, :mandate_id, :loan_id, :account, :max_each_fen, :until, :contract_sha256, true, :changed_at)
on conflict (customer_id, mandate_id) do nothing;

-- name: mandate_of_loan
select mandate_id, account, max_each_fen, until, is_on from payments.mandates where customer_id = :customer_id and loan_id = :loan_id;

-- name: hold_loan
select 1 from payments.mandates where customer_id = :customer_id and loan_id = :loan_id for update;

-- name: switch_mandate
update payments.mandates set is_on = :is_on, changed_at = :changed_at where customer_id = :customer_id and loan_id = :loan_id;

-- name: move_mandates
update payments.mandates set account = :account, changed_at = :changed_at where customer_id = :customer_id and account <> :account;

-- name: add_receipt
insert into payments.receipts (receipt_id, customer_id, loan_id, account, amount_fen, payer_tail, memo, received_at, received_on, state, matched_at, matched_by)
values (:receipt_id, :customer_id, :loan_id, :account, :amount_fen, :payer_tail, :memo, :received_at, :received_on, :state, :matched_at, :matched_by)
on conflict (receipt_id) do nothing;

-- name: lock_receipt
select receipt_id, customer_id, loan_id, account, amount_fen, payer_tail, memo, received_at, received_on, state from payments.receipts
where receipt_id = :receipt_id for update;

-- name: unmatched
select receipt_id, account, amount_fen, payer_tail, received_at, received_on from payments.receipts where state = 'unmatched'
order by received_at, receipt_id limit :most::bigint offset :skip;

-- name: match_receipt
update payments.receipts set customer_id = :customer_id, loan_id = :loan_id, state = 'matched', matched_at = :at, matched_by = :actor
where receipt_id = :receipt_id and state = 'unmatched';

-- name: add_file
insert into payments.files (name, business_date, sha256, row_count, state, why, at)
values (:name, :business_date, :sha256, :row_count, :state, :why, :at)
on conflict (name) do update set sha256 = excluded.sha256, row_count = excluded.row_count, state = excluded.state, why = excluded.why, at = excluded.at;

-- name: is_day_compared
select exists (select 1 from payments.files where business_date = :business_date and state = 'compared');

-- name: add_break
insert into payments.breaks (business_date, key, kind, ours, theirs, amount_fen, found_at)
values (:business_date, :key, :kind, :ours, :theirs, :amount_fen, :found_at)
on conflict (business_date, key, kind) do nothing;

-- name: drop_found_breaks
-- A higher revision replaces the whole part, so what was found by the old one and has not been looked at goes with it.
update payments.breaks set state = 'closed', closed_at = :at, explanation = 'replaced by a later revision' where business_date = :business_date and state = 'found' and kind <> 'callback_differs';

-- name: reopen_break
update payments.breaks set state = 'found', closed_at = null, explanation = null where business_date = :business_date and key = :key and kind = :kind;

-- name: open_breaks
select business_date, key, kind, ours, theirs, amount_fen, state, found_at, explanation from payments.breaks where state <> 'closed'
order by business_date, key, kind limit :most::bigint offset :skip;

-- name: explain_break
update payments.breaks set state = :state, explanation = :explanation, explained_by = :explained_by, closed_at = :closed_at
where business_date = :business_date and key = :key and kind = :kind and state <> 'closed';

-- name: read_cursors
select service, cursor from payments.cursors where service = any (:services::text[]);

-- name: set_cursor
insert into payments.cursors (service, cursor, at) values (:service, :cursor, :at)
on conflict (service) do update set cursor = excluded.cursor, at = excluded.at;

-- name: all_ends
-- Every order with how often its ends were booked, for whoever compares us with the rail.
select o.payment_order_id, o.loan_id, o.direction, o.purpose, o.state, o.done_fen,
    count(b.kind) filter (where b.kind = 'paid') as paid, count(b.kind) filter (where b.kind = 'returned') as returned
from payments.orders o left join payments.booked b on b.customer_id = o.customer_id and b.payment_order_id = o.payment_order_id
group by o.customer_id, o.payment_order_id order by o.payment_order_id;

-- name: orders_of_customer
select payment_order_id, loan_id, direction, purpose, amount_fen, done_fen, state, ordered_at, ended_at from payments.orders
where customer_id = :customer_id order by ordered_at, payment_order_id;

-- name: mandates_of_customer
select mandate_id, loan_id, max_each_fen, until, is_on from payments.mandates where customer_id = :customer_id order by mandate_id;

-- name: orders_page
select payment_order_id, customer_id, loan_id, direction, purpose, amount_fen, done_fen, fee_fen, state, code, tries, ordered_at, ended_at
from payments.orders
where (:state::text is null or state = :state) and (:purpose::text is null or purpose = :purpose)
order by ordered_at desc, payment_order_id limit :most offset :skip;

-- name: orders_page_count
select count(*) from payments.orders where (:state::text is null or state = :state) and (:purpose::text is null or purpose = :purpose);

-- name: waiting
-- What waits for somebody: orders nobody answered, differences not closed, money without its loan.
select (select count(*) from payments.orders where state = 'unknown') as unknown_orders,
       (select count(*) from payments.breaks where state <> 'closed') as open_breaks,
       (select count(*) from payments.receipts where state = 'unmatched') as unmatched;

-- name: orders_by_state
select state, count(*) as orders from payments.orders group by state order by state;
