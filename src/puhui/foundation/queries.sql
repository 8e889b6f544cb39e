-- name: start_flow
insert into foundation.flows (flow_id, customer_id, kind, subject, step, due, state, started_at)
values (:flow_id, :customer_id, :kind, :subject, :step, :due, :state, :at)
on conflict (flow_id) do nothing;

-- name: move_flow
update foundation.flows
set step = :step, due = :due, state = :state, attempts = :attempts,
    lease_until = case when :keep_lease::boolean then lease_until end,
    owner = case when :keep_lease::boolean then owner end
where flow_id = :flow_id and token = :token and ended_at is null
returning flow_id, customer_id, kind, subject, step, state, due, token, attempts;

-- name: end_flow
update foundation.flows set ended_at = :at, lease_until = null, owner = null
where flow_id = :flow_id and token = :token and ended_at is null;

-- name: wake_flow
-- The token moves on, so a runner that is in the middle of this flow cannot overwrite what the waker knows.
update foundation.flows
set due = :due, token = token + 1, lease_until = null, owner = null, attempts = 0,
    step = coalesce(:step::text, step), state = coalesce(:state::jsonb, state)
where flow_id = :flow_id and ended_at is null;

-- name: find_flow
select flow_id, customer_id, kind, subject, step, state, due, token, attempts from foundation.flows where flow_id = :flow_id;

-- name: is_living
select exists (select 1 from foundation.flows where flow_id = :flow_id and ended_at is null);

-- name: claim_due
update foundation.flows f
set lease_until = clock_timestamp() + make_interval(secs => :lease_s::int), owner = :owner, token = f.token + 1, attempts = f.attempts + 1
from (
    select flow_id from foundation.flows
    where ended_at is null and due <= :until and (lease_until is null or lease_until < clock_timestamp())
    order by due, flow_id limit :most for update skip locked
) free
where f.flow_id = free.flow_id
returning f.flow_id, f.customer_id, f.kind, f.subject, f.step, f.state, f.due, f.token, f.attempts;

-- name: claim_one
update foundation.flows f
set lease_until = clock_timestamp() + make_interval(secs => :lease_s::int), owner = :owner, token = f.token + 1, attempts = f.attempts + 1
where f.flow_id = :flow_id and f.ended_at is null and f.due <= :until and (f.lease_until is null or f.lease_until < clock_timestamp())
returning f.flow_id, f.customer_id, f.kind, f.subject, f.step, f.state, f.due, f.token, f.attempts;

-- name: give_back
-- A flow that has moved on already, so that its lease is free, keeps the time it was given.
update foundation.flows set lease_until = null, owner = null, due = :due
where flow_id = :flow_id and token = :token and ended_at is null and lease_until is not null;

-- name: forget_leases
update foundation.flows set lease_until = null, owner = null where owner = :owner and ended_at is null;

-- name: sealed_in_flows
-- The keys that cells sealed in the states of living flows are under, one row a cell.
select get_byte(decode(state ->> :name, 'base64'), 0) * 256 + get_byte(decode(state ->> :name, 'base64'), 1) as key_id
from foundation.flows where ended_at is null and coalesce(state ->> :name, '') <> '';

-- name: next_due
select min(due) from foundation.flows where ended_at is null;

-- name: waiting
-- What there is to do up to an instant, in one look, and when a flow is due next.
select
    exists (select 1 from foundation.callbacks where read_at is null and tries < 20) as has_callbacks,
    exists (
        select 1 from foundation.flows
        where ended_at is null and due <= :until and (lease_until is null or lease_until < clock_timestamp())
    ) as has_flows,
    exists (select 1 from foundation.events where answered_at is null) as has_events,
    (select min(due) from foundation.flows where ended_at is null) as next_due;

-- name: queues
-- How much waits, for whoever watches: the due by the run's own clock.
select
    (select count(*) from foundation.flows where ended_at is null and due <= :at) as flows,
    (select min(due) from foundation.flows where ended_at is null and due <= :at) as oldest,
    (select count(*) from foundation.callbacks where read_at is null and tries < 20) as callbacks,
    (select count(*) from foundation.callbacks where read_at is null and tries >= 20) as callbacks_given_up,
    (select count(*) from foundation.events where answered_at is null) as events,
    (select count(*) from foundation.parked_events) as events_set_aside;

-- name: add_events
insert into foundation.events (kind, customer_id, at, body)
select kind, customer_id, at, body::jsonb
from unnest(:kinds::text[], :customer_ids::text[], :ats::timestamptz[], :bodies::text[]) as told (kind, customer_id, at, body);

-- name: lock_dispatch
-- One dispatcher at a time, so that events are answered in their order.
select pg_try_advisory_xact_lock(7001202600002);

-- name: wait_for_dispatch
select pg_advisory_xact_lock(7001202600002);

-- name: unanswered_events
select seq, kind, customer_id, at, body from foundation.events where answered_at is null order by seq limit :most;

-- name: answer_events
update foundation.events set answered_at = :at where seq = any(:seqs::bigint[]);

-- name: park_event
with parked as (update foundation.events set answered_at = :at where seq = :seq returning seq)
insert into foundation.parked_events (seq, why, at) select seq, :why, :at from parked on conflict (seq) do update set why = excluded.why, at = excluded.at;

-- name: events_after
select seq, kind, customer_id, at, body from foundation.events
where seq > :after and (answered_at is not null or not :only_answered::boolean) order by seq limit :most;

-- name: receive_callback
insert into foundation.callbacks (service, event_id, kind, subject, seq, at, data, received_at)
values (:service, :event_id, :kind, :subject, :seq, :at, :data, :received_at)
on conflict (service, event_id) do nothing;

-- name: unread_callbacks
select service, event_id, kind, subject, seq, at, data from foundation.callbacks
where read_at is null and tries < 20 order by received_at, service, event_id limit :most;

-- name: read_callback
update foundation.callbacks set read_at = :at where service = :service and event_id = :event_id and read_at is null;

-- name: postpone_callback
update foundation.callbacks set tries = tries + 1, why = :why where service = :service and event_id = :event_id and read_at is null;

-- name: find_receipt
select digest, status, body from foundation.receipts where sender = :sender and key = :key;

-- name: add_receipts
insert into foundation.receipts (sender, key, digest, status, body, at)
select sender, key, digest, status, body, :at
from unnest(:senders::text[], :keys::text[], :digests::bytea[], :statuses::int[], :bodies::bytea[]) as given (sender, key, digest, status, body)
on conflict (sender, key) do nothing;

-- name: store_clock
insert into foundation.clock (one, mode, since_at, since_real, speed, tick_s) values (true, :mode, :since_at, :since_real, :speed, :tick_s)
on conflict (one) do update set mode = excluded.mode, since_at = excluded.since_at, since_real = excluded.since_real,
    speed = excluded.speed, tick_s = excluded.tick_s;

-- name: stored_clock
select mode, since_at, since_real, speed, tick_s from foundation.clock;

-- name: switch_state
select is_on from foundation.switches where name = :name;

-- name: set_switch
insert into foundation.switches (name, is_on, at, actor) values (:name, :is_on, :at, :actor)
on conflict (name) do update set is_on = excluded.is_on, at = excluded.at, actor = excluded.actor;
