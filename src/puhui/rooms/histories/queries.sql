-- name: find_fetch
select fetch_id, source, parent, consent_id, since, as_of, state from histories.fetches
where customer_id = :customer_id and parent = :parent and source = :source;

-- name: add_fetch
insert into histories.fetches (customer_id, fetch_id, source, parent, consent_id, since, as_of, state, asked_at)
values (:customer_id, :fetch_id, :source, :parent, :consent_id, :since, :as_of, 'asked', :at)
on conflict (customer_id, parent, source) do nothing;

-- name: end_fetch
update histories.fetches set state = :state, ended_at = :at where customer_id = :customer_id and fetch_id = :fetch_id and state = 'asked';

-- name: add_pages
-- Appends pages at the end of the person's log; lock_log keeps two writers of one person apart.
with tail as (select coalesce(max(n), 0) as n from histories.log where customer_id = :customer_id)
insert into histories.log (customer_id, n, source, fetch_id, consent_id, page, events, first_at, last_at, known_max, is_simulated, sha256, sealed, recorded_at)
select :customer_id, tail.n + p.page, :source, :fetch_id, :consent_id, p.page, p.events, p.first_at, p.last_at, p.known_max, :is_simulated, p.sha256, p.sealed, :at
from tail, unnest(:pages::int[], :events::int[], :first_ats::timestamptz[], :last_ats::timestamptz[], :known_maxes::timestamptz[],
                  :sha256s::bytea[], :sealeds::bytea[]) as p(page, events, first_at, last_at, known_max, sha256, sealed);

-- name: lock_log
select pg_advisory_xact_lock(hashtextextended('histories.log|' || :customer_id, 0));

-- name: latest_fetches
-- For each source the newest asking that was answered, made by the instant.
select distinct on (source) source, fetch_id, state, as_of, consent_id
from histories.fetches
where customer_id = :customer_id and as_of <= :as_of and state <> 'asked' and source = any(:sources)
order by source, as_of desc, fetch_id desc;

-- name: pages_of
select n, source, fetch_id, page, sha256, sealed from histories.log
where customer_id = :customer_id and n <= :upto and erased_at is null and fetch_id = any(:fetch_ids) order by n;

-- name: own_pages
select n, source, fetch_id, page, sha256, sealed from histories.log
where customer_id = :customer_id and n <= :upto and erased_at is null and fetch_id = '' and recorded_at <= :as_of order by n;

-- name: fetches_of
select fetch_id, source, parent, consent_id, since, as_of, state, asked_at, ended_at from histories.fetches
where customer_id = :customer_id order by asked_at, fetch_id;

-- name: log_of
select n, source, fetch_id, consent_id, page, events, first_at, last_at, is_simulated, sha256, sealed, recorded_at, erased_at
from histories.log where customer_id = :customer_id order by n;

-- name: find_query
select query_id, parent, reason, consent_id, as_of, state, code, sha256, sealed, asked_at, ended_at from histories.reports
where customer_id = :customer_id and parent = :parent and reason = :reason;

-- name: add_query
insert into histories.reports (customer_id, query_id, parent, reason, consent_id, as_of, state, asked_at)
values (:customer_id, :query_id, :parent, :reason, :consent_id, :as_of, 'asked', :at)
on conflict (customer_id, parent, reason) do nothing;

-- name: end_query
update histories.reports set state = :state, code = :code, sha256 = :sha256, sealed = :sealed, ended_at = :at
where customer_id = :customer_id and query_id = :query_id and state = 'asked';

-- name: latest_report
select query_id, parent, reason, consent_id, as_of, state, code, sha256, sealed, asked_at, ended_at from histories.reports
where customer_id = :customer_id and as_of <= :as_of and state in ('found', 'white') and erased_at is null
order by as_of desc, query_id desc limit 1;

-- name: find_report
select query_id, parent, reason, consent_id, as_of, state, code, sha256, sealed, asked_at, ended_at from histories.reports
where customer_id = :customer_id and query_id = :query_id;

-- name: reports_of
select query_id, parent, reason, consent_id, as_of, state, code, sha256, sealed, asked_at, ended_at from histories.reports
where customer_id = :customer_id order by asked_at, query_id;

-- name: erase_source
-- What a source told is taken away; that it was asked, when and by which consent, stays.
update histories.log set sealed = null, erased_at = :at where customer_id = :customer_id and source = :source and erased_at is null;

-- name: erase_log
update histories.log set sealed = null, erased_at = :at where customer_id = :customer_id and erased_at is null;

-- name: erase_reports
update histories.reports set sealed = null, erased_at = :at where customer_id = :customer_id and erased_at is null;

-- name: fetches_of_parent
select fetch_id, source, parent, consent_id, since, as_of, state from histories.fetches
where customer_id = :customer_id and parent = :parent order by source;

-- name: add_fetches
insert into histories.fetches (customer_id, fetch_id, source, parent, consent_id, since, as_of, state, asked_at)
select :customer_id, f.fetch_id, f.source, :parent, f.consent_id, :since, :as_of, 'asked', :at
from unnest(:fetch_ids::text[], :sources::text[], :consent_ids::text[]) as f(fetch_id, source, consent_id)
on conflict (customer_id, parent, source) do nothing;

-- name: end_fetches
update histories.fetches f set state = told.state, ended_at = :at
from unnest(:fetch_ids::text[], :states::text[]) as told(fetch_id, state)
where f.customer_id = :customer_id and f.fetch_id = told.fetch_id and f.state = 'asked' returning f.fetch_id;

-- name: add_all_pages
-- As add_pages, for several fetches at once, in the order given.
with tail as (select coalesce(max(n), 0) as n from histories.log where customer_id = :customer_id)
insert into histories.log (customer_id, n, source, fetch_id, consent_id, page, events, first_at, last_at, known_max, is_simulated, sha256, sealed, recorded_at)
select :customer_id, tail.n + p.place, p.source, p.fetch_id, p.consent_id, p.page, p.events, p.first_at, p.last_at, p.known_max, p.is_simulated,
       p.sha256, p.sealed, :at
from tail, unnest(:sources::text[], :fetch_ids::text[], :consent_ids::text[], :pages::int[], :events::int[], :first_ats::timestamptz[],
                  :last_ats::timestamptz[], :known_maxes::timestamptz[], :simulateds::boolean[], :sha256s::bytea[], :sealeds::bytea[])
     with ordinality as p(source, fetch_id, consent_id, page, events, first_at, last_at, known_max, is_simulated, sha256, sealed, place);

-- name: find_events
select event_table, place, sealed from histories.events
where customer_id = :customer_id and event_table = any(:event_tables) order by event_table;

-- name: put_events
insert into histories.events (customer_id, event_table, place, sha256, sealed, recorded_at)
select :customer_id, t.event_table, t.place, t.sha256, t.sealed, :at
from unnest(:event_tables::text[], :places::bigint[], :sha256s::bytea[], :sealeds::bytea[]) as t(event_table, place, sha256, sealed)
on conflict (customer_id, event_table) do update
set place = excluded.place, sha256 = excluded.sha256, sealed = excluded.sealed, recorded_at = excluded.recorded_at, erased_at = null;

-- name: scan_events
select customer_id, event_table, sealed from histories.events where sealed is not null and customer_id > :after order by customer_id, event_table limit :most;

-- name: read_at
select at_us from histories.reads where customer_id = :customer_id;

-- name: mark_read
insert into histories.reads (customer_id, at_us) values (:customer_id, :at_us)
on conflict (customer_id) do update set at_us = excluded.at_us;

-- name: add_arrivals
insert into histories.arrivals (customer_id, seq, event_table, sealed, recorded_at)
select a.customer_id, a.seq, a.event_table, a.sealed, :at
from unnest(:customer_ids::text[], :seqs::bigint[], :event_tables::text[], :sealeds::bytea[]) as a(customer_id, seq, event_table, sealed)
on conflict (customer_id, seq) do nothing;

-- name: arrivals_of
select seq, event_table, sealed, recorded_at from histories.arrivals where customer_id = :customer_id order by seq;

-- name: take_arrivals
delete from histories.arrivals where customer_id = :customer_id and seq = any(:seqs::bigint[]);

-- name: people_of_arrivals
select distinct customer_id from histories.arrivals order by customer_id limit :most;

-- name: erase_arrivals
delete from histories.arrivals where customer_id = :customer_id;

-- name: erase_table
update histories.events set sealed = null, erased_at = :at where customer_id = :customer_id and event_table = :event_table and erased_at is null;

-- name: erase_events
update histories.events set sealed = null, erased_at = :at where customer_id = :customer_id and erased_at is null;

-- name: has_events
select exists (select 1 from histories.events where customer_id = :customer_id and sealed is not null)
    or exists (select 1 from histories.arrivals where customer_id = :customer_id);
