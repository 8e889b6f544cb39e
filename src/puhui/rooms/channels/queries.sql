-- name: entry_states
select distinct on (entry_id) entry_id, state from channels.entry_states order by entry_id, k desc;

-- name: entry_state
select state, k from channels.entry_states where entry_id = :entry_id order by k desc limit 1;

-- name: add_entry_state
insert into channels.entry_states (entry_id, k, state, since, actor, why) values (:entry_id, :k, :state, :at, :actor, :why);

-- name: count_opened
select count(*)::int from channels.sessions where entry_id = :entry_id and opened_at > :since;

-- name: add_session
insert into channels.sessions (session_id, entry_id, kind, partner_id, device_id, device, scene, order_token, customer_id, partner_user_blind,
    page_secret_hash, cookie_secret_hash, opened_at, idle_until, ends_at)
values (:session_id, :entry_id, :kind, :partner_id, :device_id, :device, :scene, :order_token, :customer_id, :partner_user_blind,
    :page_secret_hash, :cookie_secret_hash, :at, :idle_until, :ends_at)
on conflict (session_id) do nothing;

-- name: find_session
select session_id, entry_id, kind, partner_id, device_id, scene, order_token, customer_id, partner_user_blind, exchanged_by, opened_at,
       idle_until, ends_at, ended_at, proven_blind, proven_until, turn, renewed_by
from channels.sessions where session_id = :session_id;

-- name: session_by_secret
-- A secret of a page's address, or of a cookie; `is_page` says which.
select session_id, entry_id, kind, partner_id, device_id, scene, order_token, customer_id, partner_user_blind, exchanged_by, opened_at,
       idle_until, ends_at, ended_at, proven_blind, proven_until, turn, renewed_by, page_secret_hash = :hash as is_page
from channels.sessions where page_secret_hash = :hash or cookie_secret_hash = :hash;

-- name: exchange
update channels.sessions set exchanged_by = :by where session_id = :session_id and exchanged_by is null;

-- name: keep_alive
update channels.sessions set idle_until = :idle_until where session_id = :session_id and ended_at is null and idle_until < :idle_until;

-- name: attach
update channels.sessions set customer_id = :customer_id, proven_blind = null, proven_until = null where session_id = :session_id;

-- name: renew
update channels.sessions set turn = :turn, cookie_secret_hash = :hash, ended_secret_hash = cookie_secret_hash, renewed_by = :by, renewed_at = :at
where session_id = :session_id and turn = :turn - 1;

-- name: session_of_ended_secret
select session_id, entry_id, kind, partner_id, device_id, scene, order_token, customer_id, partner_user_blind, exchanged_by, opened_at,
       idle_until, ends_at, ended_at, proven_blind, proven_until, turn, renewed_by
from channels.sessions where ended_secret_hash = :hash and renewed_at > :since;

-- name: set_proven
update channels.sessions set proven_blind = :proven_blind, proven_until = :proven_until where session_id = :session_id;

-- name: end_session
update channels.sessions set ended_at = :at where session_id = :session_id and ended_at is null;

-- name: end_sessions_of
update channels.sessions set ended_at = :at where customer_id = :customer_id and ended_at is null and session_id <> :but;

-- name: sessions_of
select session_id, entry_id, kind, device_id, scene, opened_at, ended_at from channels.sessions
where customer_id = :customer_id order by opened_at, session_id;

-- name: device_of
select device from channels.sessions where session_id = :session_id;

-- name: find_user
select customer_id from channels.partner_users where owner = :owner and user_blind = :user_blind;

-- name: link_user
insert into channels.partner_users (owner, user_blind, customer_id, linked_at) values (:owner, :user_blind, :customer_id, :at)
on conflict (owner, user_blind) do update set customer_id = excluded.customer_id, linked_at = excluded.linked_at
where partner_users.customer_id <> excluded.customer_id;

-- name: add_token
insert into channels.tokens (iss, jti, entry_id, session_id, state, sub_blind, expires_at, seen_at)
values (:iss, :jti, :entry_id, :session_id, 'issued', :sub_blind, :expires_at, :at)
on conflict do nothing;

-- name: find_token
select iss, jti, session_id, state, expires_at from channels.tokens where iss = :iss and jti = :jti;

-- name: move_token
update channels.tokens set state = :state where session_id = :session_id and state = any(:before);

-- name: expire_tokens
update channels.tokens set state = 'expired' where state in ('issued', 'bound') and session_id in
    (select session_id from channels.sessions where ends_at <= :at or ended_at is not null);

-- name: token_of
select iss, state, entry_id from channels.tokens where session_id = :session_id;

-- name: add_attribution
insert into channels.attributions (customer_id, session_id, entry_id, partner_id, scene, at)
values (:customer_id, :session_id, :entry_id, :partner_id, :scene, :at)
on conflict (customer_id, session_id) do nothing;

-- name: attributions_of
select session_id, entry_id, partner_id, scene, at from channels.attributions where customer_id = :customer_id order by at, session_id;

-- name: entries_used
select count(distinct entry_id)::int from channels.attributions;

-- name: erase_sessions
update channels.sessions set device = '{}'::jsonb, device_id = '', partner_user_blind = null where customer_id = :customer_id;

-- name: erase_users
delete from channels.partner_users where customer_id = :customer_id;

-- name: add_code
insert into channels.codes_sent (phone_blind, check_id, at) values (:phone_blind, :check_id, :at) on conflict do nothing;

-- name: count_codes
select count(*)::int from channels.codes_sent where phone_blind = :phone_blind and at > :since and check_id <> :check_id;

-- name: drop_old_codes
delete from channels.codes_sent where at < :before;

-- name: add_purchase
insert into channels.purchases (merchant_id, order_id, scene_id, amount_fen, items, buyer_ref, return_url, token_hash, quoted_at, lapses_at)
values (:merchant_id, :order_id, :scene_id, :amount_fen, :items, :buyer_ref, :return_url, :token_hash, :at, :lapses_at)
on conflict (merchant_id, order_id) do nothing;

-- name: find_purchase
select * from channels.purchases where merchant_id = :merchant_id and order_id = :order_id;

-- name: lock_purchase
select * from channels.purchases where merchant_id = :merchant_id and order_id = :order_id for update;

-- name: purchase_by_token
select * from channels.purchases where token_hash = :token_hash for update;

-- name: purchase_of_application
select * from channels.purchases where customer_id = :customer_id and application_id = :application_id;

-- name: purchase_of_loan
select * from channels.purchases where customer_id = :customer_id and loan_id = :loan_id;

-- name: purchases_of
select * from channels.purchases where customer_id = :customer_id order by quoted_at, merchant_id, order_id;

-- name: tie_purchase
update channels.purchases set customer_id = :customer_id, application_id = :application_id
where merchant_id = :merchant_id and order_id = :order_id and funded_on is null;

-- name: untie_purchase
update channels.purchases set customer_id = null, application_id = null
where customer_id = :customer_id and application_id = :application_id and funded_on is null;

-- name: fund_purchase
update channels.purchases set loan_id = :loan_id, funded_on = :funded_on, term_until = :term_until
where merchant_id = :merchant_id and order_id = :order_id;

-- name: deliver_purchase
update channels.purchases set delivered_on = :delivered_on where merchant_id = :merchant_id and order_id = :order_id;

-- name: set_refunds
update channels.purchases set refund_asked_fen = :refund_asked_fen, refunded_fen = :refunded_fen
where merchant_id = :merchant_id and order_id = :order_id;

-- name: settle_purchase
update channels.purchases set settled_on = :settled_on where merchant_id = :merchant_id and order_id = :order_id;

-- name: cancel_purchase
update channels.purchases set cancelled_on = :cancelled_on, settled_on = null, why = :why where merchant_id = :merchant_id and order_id = :order_id;

-- name: open_purchases
select * from channels.purchases where funded_on is not null and settled_on is null and cancelled_on is null
order by merchant_id, order_id;

-- name: add_refund
insert into channels.purchase_refunds (merchant_id, refund_id, order_id, amount_fen, reason, payment_order_id, state, asked_on)
values (:merchant_id, :refund_id, :order_id, :amount_fen, :reason, :payment_order_id, 'asked', :asked_on)
on conflict (merchant_id, refund_id) do nothing;

-- name: find_refund
select merchant_id, refund_id, order_id, amount_fen, payment_order_id, state from channels.purchase_refunds
where merchant_id = :merchant_id and refund_id = :refund_id;

-- name: refund_of_payment
select merchant_id, refund_id, order_id, amount_fen, payment_order_id, state from channels.purchase_refunds
where payment_order_id = :payment_order_id;

-- name: refunds_of
select merchant_id, refund_id, order_id, amount_fen, payment_order_id, state from channels.purchase_refunds
where merchant_id = :merchant_id and order_id = :order_id order by asked_on, refund_id;

-- name: set_refund
update channels.purchase_refunds set state = :state, ended_on = :ended_on where merchant_id = :merchant_id and refund_id = :refund_id;

-- name: add_purchase_event
insert into channels.purchase_events (merchant_id, order_id, no, event, business_date, amount_fen, fee_fen, at)
select :merchant_id::text, :order_id::text,
    1 + coalesce((select max(no) from channels.purchase_events where merchant_id = :merchant_id and order_id = :order_id), 0),
    :event, :business_date, :amount_fen, :fee_fen, :at;

-- name: purchase_events_on
select business_date, order_id, event, amount_fen, fee_fen from channels.purchase_events
where business_date = :business_date and merchant_id = :merchant_id order by order_id, no;

-- name: merchants_on
select distinct merchant_id from channels.purchase_events where business_date = :business_date order by merchant_id;

-- name: merchant_positions
-- What the rail account of each shop gained by our hand, as the events tell it.
select merchant_id, sum(case event when 'funded' then amount_fen when 'refund_given_back' then amount_fen
                                   when 'refunded' then -amount_fen when 'returned' then -amount_fen else 0 end)::bigint as gained_fen
from channels.purchase_events group by merchant_id order by merchant_id;

-- name: purchase_faults
-- A purchase whose figures are not those of its events and refunds. Nothing may come back.
with told as (
    select merchant_id, order_id,
           coalesce(sum(amount_fen) filter (where event = 'funded'), 0) as funded_fen,
           coalesce(sum(amount_fen) filter (where event = 'refunded'), 0) as refunded_fen,
           coalesce(sum(amount_fen) filter (where event = 'refund_given_back'), 0) as given_back_fen
    from channels.purchase_events group by merchant_id, order_id),
asked as (
    select merchant_id, order_id,
           coalesce(sum(amount_fen) filter (where state = 'paid'), 0) as paid_fen,
           coalesce(sum(amount_fen) filter (where state in ('asked', 'paid')), 0) as asked_fen
    from channels.purchase_refunds group by merchant_id, order_id)
select p.merchant_id, p.order_id, p.amount_fen, p.refund_asked_fen, p.refunded_fen
from channels.purchases p left join told t using (merchant_id, order_id) left join asked a using (merchant_id, order_id)
where coalesce(t.funded_fen, 0) <> case when p.funded_on is null then 0 else p.amount_fen end
   or coalesce(t.refunded_fen, 0) - coalesce(t.given_back_fen, 0) <> p.refunded_fen
   or coalesce(a.paid_fen, 0) <> p.refunded_fen
   or coalesce(a.asked_fen, 0) <> p.refund_asked_fen
order by p.merchant_id, p.order_id;

-- name: embed
insert into channels.embedded (customer_id, application_id, session_id, partner_id) values (:customer_id, :application_id, :session_id, :partner_id)
on conflict (customer_id, application_id) do nothing;

-- name: tie_loan
update channels.embedded set loan_id = :loan_id where customer_id = :customer_id and application_id = :application_id;

-- name: embedded_application
select customer_id, application_id, session_id, partner_id, loan_id from channels.embedded
where customer_id = :customer_id and application_id = :application_id;

-- name: embedded_loan
select customer_id, application_id, session_id, partner_id, loan_id from channels.embedded where customer_id = :customer_id and loan_id = :loan_id;

-- name: last_told
select coalesce(max(seq), 0)::int from channels.told where customer_id = :customer_id and application_id = :application_id;

-- name: add_told
insert into channels.told (customer_id, application_id, seq, event_id, partner_id, kind, data, at, state)
values (:customer_id, :application_id, :seq, :event_id, :partner_id, :kind, :data, :at, 'waiting');

-- name: next_told
-- The first event that was not taken: while it is parked, none after it may go.
select customer_id, application_id, seq, event_id, partner_id, kind, data, at, state, tries from channels.told
where customer_id = :customer_id and application_id = :application_id and state in ('waiting', 'parked') order by seq limit 1;

-- name: end_told
update channels.told set state = :state, ended_at = :at where event_id = :event_id and state = 'waiting';

-- name: tried_told
update channels.told set tries = tries + 1 where event_id = :event_id and state = 'waiting';

-- name: parked_told
select customer_id, application_id, seq, event_id, partner_id, kind, data, at, state, tries from channels.told
where state = 'parked' order by at, event_id limit :most;

-- name: unpark_told
update channels.told set state = 'waiting', ended_at = null, at = :at where event_id = :event_id and state = 'parked'
returning customer_id, application_id;

-- name: told_of
select application_id, seq, partner_id, kind, at, state from channels.told where customer_id = :customer_id order by application_id, seq;

-- name: told_page
select customer_id, application_id, seq, event_id, partner_id, kind, data, at, state, tries, ended_at from channels.told
where (:partner_id::text is null or partner_id = :partner_id) and (:state::text is null or state = :state)
order by at desc, event_id limit :most offset :skip;

-- name: told_page_count
select count(*) from channels.told where (:partner_id::text is null or partner_id = :partner_id) and (:state::text is null or state = :state);

-- name: told_by_state
select state, count(*) as events, coalesce(sum(tries), 0)::bigint as tries from channels.told group by state order by state;
