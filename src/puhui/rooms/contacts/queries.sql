-- name: add_order
insert into contacts.message_orders (customer_id, message_id, channel, purpose, template, params, subject, state, wanted_at, expires_at)
values (:customer_id, :message_id, :channel, :purpose, :template, :params, :subject, 'waiting', :wanted_at, :expires_at)
on conflict (customer_id, message_id) do nothing;

-- name: find_order
select customer_id, message_id, channel, purpose, template, params, subject, state, code, wanted_at, expires_at, sent_at, ended_at
from contacts.message_orders where customer_id = :customer_id and message_id = :message_id;

-- name: find_order_by_id
select customer_id, message_id, channel, purpose, template, params, subject, state, code, wanted_at, expires_at, sent_at, ended_at
from contacts.message_orders where message_id = :message_id;

-- name: orders_of
select customer_id, message_id, channel, purpose, template, params, subject, state, code, wanted_at, expires_at, sent_at, ended_at
from contacts.message_orders where customer_id = :customer_id order by wanted_at desc, message_id limit :most;

-- name: set_state
update contacts.message_orders
set state = :state, code = :code::text,
    sent_at = case when :state::text = 'sent' then :at else sent_at end,
    ended_at = case when :state::text in ('delivered', 'failed', 'ended', 'refused') then :at else ended_at end
where customer_id = :customer_id and message_id = :message_id;

-- name: lock_person
-- One person's contacts are judged one after another, so that two messages cannot both be the last one allowed.
select pg_advisory_xact_lock(hashtextextended('contacts|' || :customer_id::text, 0));

-- name: add_attempt
insert into contacts.attempts (customer_id, message_id, k, channel, purpose, local_day, at, verdict, versions)
select :customer_id::text, :message_id::text,
    1 + coalesce((select max(k) from contacts.attempts where customer_id = :customer_id and message_id = :message_id), 0),
    :channel, :purpose, :local_day, :at, :verdict, :versions;

-- name: mark_answered
update contacts.attempts set is_answered = true
where customer_id = :customer_id and message_id = :message_id and verdict = 'allowed';

-- name: counts
select
    count(*) filter (where local_day = :today and purpose in ('reminder', 'collection')) as attempts_today,
    count(*) filter (where local_day = :today and purpose in ('reminder', 'collection') and is_answered) as answered_today,
    count(*) filter (where local_day = :today and purpose = 'marketing') as marketing_today,
    count(*) filter (where purpose = 'marketing') as marketing_this_week
from contacts.attempts
where customer_id = :customer_id and local_day > :today - 7 and verdict = 'allowed';

-- name: opted_out
select purpose from contacts.opt_outs where customer_id = :customer_id and since <= :at and (until is null or until > :at);

-- name: add_opt_out
insert into contacts.opt_outs (customer_id, purpose, since) values (:customer_id, :purpose, :at) on conflict do nothing;

-- name: attempts_of
select message_id, k, channel, purpose, local_day, at, verdict, versions, is_answered
from contacts.attempts where customer_id = :customer_id order by at, message_id, k;

-- name: next_turn
select 1 + count(*) from contacts.call_turns where customer_id = :customer_id and message_id = :message_id;

-- name: add_turn
insert into contacts.call_turns (customer_id, message_id, k, said_by, text_sealed) values (:customer_id, :message_id, :k, :said_by, :text_sealed)
on conflict do nothing;

-- name: turns_of
select message_id, k, said_by, text_sealed from contacts.call_turns where customer_id = :customer_id order by message_id, k;

-- name: gate_breaches
-- Of a day of one person, more was allowed than the limits say. Nothing may come back.
select customer_id, local_day, count(*) as attempts
from contacts.attempts
where verdict = 'allowed' and purpose in ('reminder', 'collection')
group by customer_id, local_day having count(*) > :attempts_per_day_max;

-- name: keep_turn
-- The n-th exchange of a call: what was heard stands at 2n-1, what we said at 2n.
insert into contacts.call_turns (customer_id, message_id, k, said_by, text_sealed) values (:customer_id, :message_id, :k, :said_by, :text_sealed)
on conflict do nothing;

-- name: turns_of_call
select k, said_by, text_sealed from contacts.call_turns where customer_id = :customer_id and message_id = :message_id order by k;

-- name: lock_call
select pg_advisory_xact_lock(hashtextextended('contacts.call|' || :message_id::text, 0));
