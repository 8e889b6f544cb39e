-- name: set_terms
insert into funding.terms (partner_id, version, since, is_open, opens_at, closes_at, day_left_fen, total_left_fen, share_min_ppm, share_max_ppm,
    rate_min_ppm, rate_max_ppm, terms_months, regions_allowed, age_min, age_max, bands, region_share_max_ppm, band_share_max_ppm, announced_version, fetched_on)
values (:partner_id, :version, :since, :is_open, :opens_at, :closes_at, :day_left_fen, :total_left_fen, :share_min_ppm, :share_max_ppm, :rate_min_ppm,
    :rate_max_ppm, :terms_months, :regions_allowed, :age_min, :age_max, :bands, :region_share_max_ppm, :band_share_max_ppm, :version, :fetched_on)
on conflict (partner_id) do update set version = excluded.version, since = excluded.since, is_open = excluded.is_open, opens_at = excluded.opens_at, closes_at = excluded.closes_at,
    day_left_fen = excluded.day_left_fen, total_left_fen = excluded.total_left_fen, share_min_ppm = excluded.share_min_ppm,
    share_max_ppm = excluded.share_max_ppm, rate_min_ppm = excluded.rate_min_ppm, rate_max_ppm = excluded.rate_max_ppm,
    terms_months = excluded.terms_months, regions_allowed = excluded.regions_allowed, age_min = excluded.age_min, age_max = excluded.age_max,
    bands = excluded.bands, region_share_max_ppm = excluded.region_share_max_ppm, band_share_max_ppm = excluded.band_share_max_ppm,
    announced_version = excluded.announced_version, fetched_on = excluded.fetched_on;

-- name: announce_version
update funding.terms set announced_version = :version where partner_id = :partner_id;

-- name: fresh_terms
select * from funding.terms where fetched_on = :today and partner_id = any (:partner_ids::text[]);

-- name: stale_partners
select asked.partner_id from unnest(:partner_ids::text[]) as asked (partner_id)
left join funding.terms t on t.partner_id = asked.partner_id and t.fetched_on = :today
where t.partner_id is null order by asked.partner_id;

-- name: outdated_partners
select partner_id from funding.terms where partner_id = any (:partner_ids::text[]) and announced_version <> version order by partner_id;

-- name: read_books
select partner_id, part, key, amount_fen from funding.books
where part = 'all' or (part = 'region' and key = :region) or (part = 'band' and key = :band) or (part = 'day' and key = :day) or part = 'joint';

-- name: add_to_book
insert into funding.books (partner_id, part, key, amount_fen) values (:partner_id, :part, :key, :amount_fen)
on conflict (partner_id, part, key) do update set amount_fen = funding.books.amount_fen + excluded.amount_fen;

-- name: lock_books
-- Two days are counted one after the other.
select pg_advisory_xact_lock(hashtextextended('funding.books', 0));

-- name: newest_of
select asked.partner_id from unnest(:partner_ids::text[]) as asked (partner_id)
where not exists (select 1 from funding.balances b where b.partner_id = asked.partner_id and b.business_date > :business_date);

-- name: clear_books
delete from funding.books where partner_id = any (:partner_ids::text[]) and part <> 'day';

-- name: clear_old_days
delete from funding.books where part = 'day' and key < :day;

-- name: set_books
-- The morning's books: what the funders' legs stand at by yesterday's close, and the holds that are not yet legs. What a loan accepted in
-- this very moment has counted meanwhile stays counted.
insert into funding.books (partner_id, part, key, amount_fen)
with standing as (
    select b.partner_id, l.region, l.band, b.principal_fen as amount_fen
    from funding.balances b join funding.legs l on l.partner_id = b.partner_id and l.loan_id = b.loan_id
    where b.partner_id = any (:partner_ids::text[]) and b.business_date = :business_date
    union all
    select h.partner_id, h.region, h.band, h.share_fen from funding.holds h
    where h.partner_id = any (:partner_ids::text[]) and h.state in ('asking', 'held', 'confirmed') and h.to_release is null
), parts as (
    select partner_id, 'all' as part, '' as key, sum(amount_fen) as amount_fen from standing group by partner_id
    union all select partner_id, 'region', region, sum(amount_fen) from standing group by partner_id, region
    union all select partner_id, 'band', band, sum(amount_fen) from standing group by partner_id, band
)
select partner_id, part, key, amount_fen::bigint from parts where amount_fen > 0
on conflict (partner_id, part, key) do update set amount_fen = funding.books.amount_fen + excluded.amount_fen;

-- name: add_want
insert into funding.wants (customer_id, loan_id, amount_fen, rate_ppm, method, convention, months, region, age, band, is_joint, is_open)
values (:customer_id, :loan_id, :amount_fen, :rate_ppm, :method, :convention, :months, :region, :age, :band, :is_joint, true)
on conflict (customer_id, loan_id) do nothing;

-- name: find_want
select * from funding.wants where customer_id = :customer_id and loan_id = :loan_id;

-- name: is_open
select is_open from funding.wants where customer_id = :customer_id and loan_id = :loan_id;

-- name: close_want
update funding.wants set is_open = false where customer_id = :customer_id and loan_id = :loan_id;

-- name: add_hold
insert into funding.holds (customer_id, reservation_id, loan_id, no, partner_id, terms_version, share_ppm, share_fen, region, band, state, asked_at)
values (:customer_id, :reservation_id, :loan_id, :no, :partner_id, :terms_version, :share_ppm, :share_fen, :region, :band, 'asking', :asked_at)
on conflict (customer_id, reservation_id) do nothing;

-- name: holds_of
select * from funding.holds where customer_id = :customer_id and loan_id = :loan_id order by no;

-- name: lock_holds
select * from funding.holds where customer_id = :customer_id and loan_id = :loan_id order by no for update;

-- name: find_hold
select * from funding.holds where customer_id = :customer_id and reservation_id = :reservation_id;

-- name: set_hold
update funding.holds set state = :state, expires_at = :expires_at, to_release = :to_release, code = :code
where customer_id = :customer_id and reservation_id = :reservation_id;

-- name: leaked_holds
-- Holds that bind a funder's quota though nothing of ours needs them any more and nobody is letting them go.
select customer_id, reservation_id, loan_id, partner_id, state from funding.holds
where state in ('asking', 'held', 'confirmed') and asked_at < :before order by reservation_id;

-- name: add_leg
insert into funding.legs (customer_id, loan_id, leg_no, partner_id, share_ppm, share_fen, region, band)
values (:customer_id, :loan_id, :leg_no, :partner_id, :share_ppm, :share_fen, :region, :band)
on conflict (customer_id, loan_id, leg_no) do nothing;

-- name: legs_of
select partner_id, share_ppm, share_fen from funding.legs where customer_id = :customer_id and loan_id = :loan_id order by leg_no;

-- name: partners_used
select distinct partner_id from funding.legs where partner_id <> 'lender' order by partner_id;

-- name: add_files
insert into funding.files (name, partner_id, kind, business_date, sha256, row_count, state, why, at)
select name, partner_id, kind, :business_date, sha256, row_count, state, nullif(why, ''), :at
from unnest(:names::text[], :partner_ids::text[], :kinds::text[], :sha256s::text[], :row_counts::int[], :states::text[], :whys::text[])
    as file (name, partner_id, kind, sha256, row_count, state, why)
on conflict (name) do update set sha256 = excluded.sha256, row_count = excluded.row_count, state = excluded.state, why = excluded.why, at = excluded.at;

-- name: files_of_day
select name, partner_id, kind, business_date, sha256, row_count, state, why from funding.files
where business_date = :business_date and kind = :kind order by partner_id, name;

-- name: clear_balances
delete from funding.balances where partner_id = any (:partner_ids::text[]) and business_date = :business_date;

-- name: add_balances
insert into funding.balances (partner_id, business_date, loan_id, principal_fen, interest_fen, overdue_days, asset_class)
select partner_id, :business_date, loan_id, principal_fen, interest_fen, overdue_days, asset_class
from unnest(:partner_ids::text[], :loan_ids::text[], :principals::bigint[], :interests::bigint[], :days::int[], :classes::text[])
    as row (partner_id, loan_id, principal_fen, interest_fen, overdue_days, asset_class);

-- name: balances_of_day
select partner_id, loan_id, principal_fen, interest_fen, overdue_days, asset_class from funding.balances
where partner_id = any (:partner_ids::text[]) and business_date = :business_date order by partner_id, loan_id;

-- name: add_break
insert into funding.breaks (partner_id, business_date, loan_id, kind, ours, theirs, found_at)
values (:partner_id, :business_date, :loan_id, :kind, :ours, :theirs, :found_at)
on conflict (partner_id, business_date, loan_id, kind) do nothing;

-- name: open_breaks
select partner_id, business_date, loan_id, kind, ours, theirs, state, found_at, explanation from funding.breaks
where state <> 'closed' order by found_at, partner_id, loan_id, kind limit :most::bigint offset :skip;

-- name: count_open_breaks
select count(*) from funding.breaks where state <> 'closed';

-- name: close_breaks
-- A later mirror that agrees again closes what stood open of that loan.
update funding.breaks set state = 'closed', closed_at = :at
where partner_id = :partner_id and loan_id = any (:loan_ids::text[]) and state <> 'closed';

-- name: explain_break
update funding.breaks set state = :state, explanation = :explanation, explained_by = :explained_by, closed_at = :closed_at
where partner_id = :partner_id and business_date = :business_date and loan_id = :loan_id and kind = :kind and state <> 'closed';

-- name: broken_loans
select distinct partner_id, loan_id from funding.breaks where partner_id = any (:partner_ids::text[]) and state <> 'closed';

-- name: last_carried
select carried_fen from funding.settlements where partner_id = :partner_id and business_date < :business_date order by business_date desc limit 1;

-- name: add_settlement
insert into funding.settlements (partner_id, business_date, amount_fen, carried_fen, payment_order_id, state)
values (:partner_id, :business_date, :amount_fen, :carried_fen, :payment_order_id, :state)
on conflict (partner_id, business_date) do nothing;

-- name: find_settlement
select amount_fen, carried_fen, payment_order_id, state from funding.settlements where partner_id = :partner_id and business_date = :business_date;

-- name: set_settlement
update funding.settlements set state = :state where payment_order_id = :payment_order_id;

-- name: holds_of_customer
select reservation_id, loan_id, partner_id, share_fen, state, asked_at from funding.holds where customer_id = :customer_id
order by asked_at, loan_id, no;

-- name: mirror_state
select (select coalesce(sum(row_count), 0) from funding.files where kind = 'mirror' and state = 'compared')::bigint as compared,
    (select count(*) from funding.files where kind = 'mirror' and state = 'compared')::bigint as files,
    (select count(*) from funding.breaks where state = 'found')::bigint as differing,
    (select count(*) from funding.breaks where state = 'explained')::bigint as explained,
    (select count(*) from (
        select distinct on (partner_id) state from funding.files where kind = 'mirror' order by partner_id, business_date desc, name desc
    ) newest where state <> 'compared')::bigint as unread;

-- name: all_terms
select * from funding.terms where :partner_ids::text[] is null or partner_id = any (:partner_ids) order by partner_id;

-- name: settlements_page
select partner_id, business_date, amount_fen, carried_fen, payment_order_id, state from funding.settlements
where (:partner_id::text is null or partner_id = :partner_id) and (:state::text is null or state = :state)
order by business_date desc, partner_id limit :most offset :skip;

-- name: settlements_page_count
select count(*) from funding.settlements where (:partner_id::text is null or partner_id = :partner_id) and (:state::text is null or state = :state);

-- name: files_page
select name, partner_id, kind, business_date, row_count, state, why, at from funding.files
where partner_id = :partner_id order by business_date desc, name limit :most;
