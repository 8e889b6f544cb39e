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
       idle_until, ends_at, ended_at, proven_blind, proven_until
from channels.sessions where session_id = :session_id;

-- name: session_by_secret
-- A secret of a page's address, or of a cookie; `is_page` says which.
select session_id, entry_id, kind, partner_id, device_id, scene, order_token, customer_id, partner_user_blind, exchanged_by, opened_at,
       idle_until, ends_at, ended_at, proven_blind, proven_until, page_secret_hash = :hash as is_page
from channels.sessions where page_secret_hash = :hash or cookie_secret_hash = :hash;

-- name: exchange
update channels.sessions set exchanged_by = :by where session_id = :session_id and exchanged_by is null;

-- name: keep_alive
update channels.sessions set idle_until = :idle_until where session_id = :session_id and ended_at is null and idle_until < :idle_until;

-- name: attach
update channels.sessions set customer_id = :customer_id, proven_blind = null, proven_until = null where session_id = :session_id;

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
