-- name: applications_of
select a.* from boards.applications a join unnest(:customer_ids::text[], :ids::text[]) as k (customer_id, id)
on a.customer_id = k.customer_id and a.application_id = k.id;

-- name: loans_of
select l.* from boards.loans l join unnest(:customer_ids::text[], :ids::text[]) as k (customer_id, id)
on l.customer_id = k.customer_id and l.loan_id = k.id;

-- name: shares_of
select s.* from boards.shares s join unnest(:customer_ids::text[], :ids::text[], :partner_ids::text[]) as k (customer_id, id, partner_id)
on s.customer_id = k.customer_id and s.loan_id = k.id and s.partner_id = k.partner_id;

-- name: cases_of
select c.* from boards.cases c join unnest(:customer_ids::text[], :ids::text[]) as k (customer_id, id)
on c.customer_id = k.customer_id and c.case_id = k.id;

-- name: entry_days_of
select e.* from boards.entry_days e join unnest(:entry_ids::text[], :days::date[]) as k (entry_id, day) on e.entry_id = k.entry_id and e.day = k.day;

-- name: days_of
select * from boards.days where day = any(:days::date[]);

-- name: put_applications
insert into boards.applications select * from jsonb_populate_recordset(null::boards.applications, :rows)
on conflict (customer_id, application_id) do update set
    entry_id = excluded.entry_id, scene = excluded.scene, amount_fen = excluded.amount_fen, months = excluded.months,
    tapped_at = excluded.tapped_at, decided_at = excluded.decided_at, outcome = excluded.outcome, band = excluded.band,
    is_thin_file = excluded.is_thin_file, accepted_at = excluded.accepted_at, signed_at = excluded.signed_at,
    ended_at = excluded.ended_at, ended_why = excluded.ended_why, place_kind = excluded.place_kind, tier = excluded.tier,
    county = excluded.county, loan_id = excluded.loan_id, paid_at = excluded.paid_at, paid_fen = excluded.paid_fen,
    returned_at = excluded.returned_at, settled_on = excluded.settled_on;

-- name: put_loans
insert into boards.loans select * from jsonb_populate_recordset(null::boards.loans, :rows)
on conflict (customer_id, loan_id) do update set
    application_id = excluded.application_id, amount_fen = excluded.amount_fen, months = excluded.months, value_date = excluded.value_date,
    paid_at = excluded.paid_at, signed_at = excluded.signed_at, returned_at = excluded.returned_at, repayments = excluded.repayments,
    repaid_fen = excluded.repaid_fen, left_fen = excluded.left_fen, left_seq = excluded.left_seq, stage = excluded.stage,
    days_late = excluded.days_late, overdue_fen = excluded.overdue_fen, stage_seq = excluded.stage_seq, asset_class = excluded.asset_class,
    class_seq = excluded.class_seq, settled_on = excluded.settled_on, written_off_fen = excluded.written_off_fen,
    recovered_fen = excluded.recovered_fen, is_first_loan = excluded.is_first_loan, late_31_on = excluded.late_31_on,
    late_91_on = excluded.late_91_on, is_restructured = excluded.is_restructured, late_since = excluded.late_since;

-- name: put_shares
insert into boards.shares select * from jsonb_populate_recordset(null::boards.shares, :rows)
on conflict (customer_id, loan_id, partner_id) do update set share_fen = excluded.share_fen, share_ppm = excluded.share_ppm;

-- name: put_cases
insert into boards.cases select * from jsonb_populate_recordset(null::boards.cases, :rows)
on conflict (customer_id, case_id) do update set
    kind = excluded.kind, opened_at = excluded.opened_at, due = excluded.due, closed_at = excluded.closed_at, outcome = excluded.outcome;

-- name: put_entry_days
insert into boards.entry_days select * from jsonb_populate_recordset(null::boards.entry_days, :rows)
on conflict (entry_id, day) do update set sessions = excluded.sessions;

-- name: put_days
insert into boards.days select * from jsonb_populate_recordset(null::boards.days, :rows)
on conflict (day) do update set
    registered = excluded.registered, repayments = excluded.repayments, late_repayments = excluded.late_repayments,
    repaid_fen = excluded.repaid_fen, reversed_fen = excluded.reversed_fen, failed_collects = excluded.failed_collects,
    failed_pay_outs = excluded.failed_pay_outs, messages = excluded.messages, is_closed = excluded.is_closed,
    frozen = excluded.frozen;

-- name: forget_applications
delete from boards.applications;

-- name: forget_loans
delete from boards.loans;

-- name: forget_shares
delete from boards.shares;

-- name: forget_cases
delete from boards.cases;

-- name: forget_entry_days
delete from boards.entry_days;

-- name: forget_days
delete from boards.days;

-- name: all_applications
select * from boards.applications;

-- name: all_loans
select * from boards.loans;

-- name: all_shares
select * from boards.shares;

-- name: all_cases
select * from boards.cases;

-- name: all_entry_days
select * from boards.entry_days;

-- name: all_days
select * from boards.days;

-- name: funnel
select count(*)                                                             as received,
       count(*) filter (where outcome = 'offer')                            as offered,
       count(*) filter (where outcome = 'declined')                         as declined,
       count(*) filter (where outcome = 'proof')                            as asked_for_proof,
       count(*) filter (where accepted_at is not null)                      as accepted,
       count(*) filter (where signed_at is not null)                        as signed,
       count(*) filter (where paid_at is not null and returned_at is null)  as paid_out,
       count(*) filter (where settled_on is not null)                       as settled,
       count(*) filter (where ended_why = 'expired')                        as expired,
       count(*) filter (where ended_why = 'cancelled')                      as cancelled
from boards.applications
where tapped_at is not null and (:since::timestamptz is null or tapped_at >= :since) and (:until::timestamptz is null or tapped_at < :until);

-- name: entries
select e.entry_id, coalesce(s.sessions, 0)::bigint as sessions, coalesce(p.applications, 0) as applications, coalesce(p.offered, 0) as offered,
       coalesce(p.paid_out, 0) as paid_out, coalesce(p.paid_out_fen, 0)::bigint as paid_out_fen
from (select entry_id from boards.entry_days union select entry_id from boards.applications where entry_id is not null) e
left join (select entry_id, sum(sessions) as sessions from boards.entry_days group by entry_id) s using (entry_id)
left join (
    select entry_id, count(*) as applications, count(*) filter (where outcome = 'offer') as offered,
           count(*) filter (where paid_at is not null and returned_at is null) as paid_out,
           sum(paid_fen) filter (where paid_at is not null and returned_at is null) as paid_out_fen
    from boards.applications group by entry_id
) p using (entry_id)
order by e.entry_id;

-- name: money
select coalesce(d.day, o.day) as day, coalesce(o.loans, 0) as loans_paid_out, coalesce(o.paid_out_fen, 0)::bigint as paid_out_fen,
       coalesce(d.repayments, 0) as repayments, coalesce(d.late_repayments, 0) as late_repayments, coalesce(d.repaid_fen, 0) as repaid_fen,
       coalesce(d.failed_collects, 0) as failed_collects, coalesce(d.is_closed, false) as is_closed
from boards.days d
full join (
    select value_date as day, count(*) as loans, sum(amount_fen) as paid_out_fen
    from boards.loans where value_date is not null and returned_at is null group by value_date
) o on o.day = d.day
where (:since::date is null or coalesce(d.day, o.day) >= :since) and (:until::date is null or coalesce(d.day, o.day) < :until)
order by 1;

-- name: speed
select count(*) filter (where paid_at is not null) as loans,
       count(*) filter (where decided_at is not null) as answered,
       count(*) filter (where decided_at - tapped_at <= interval '1 second') as answered_in_1s,
       (percentile_disc(array[0.5, 0.95, 0.99]) within group (order by (extract(epoch from paid_at - tapped_at) * 1000)::bigint)
           filter (where paid_at is not null)) as tap_ms,
       (percentile_disc(array[0.5, 0.95, 0.99]) within group (order by (extract(epoch from paid_at - signed_at) * 1000)::bigint)
           filter (where paid_at is not null)) as sign_ms
from boards.applications
where tapped_at is not null and (:since::timestamptz is null or tapped_at >= :since) and (:until::timestamptz is null or tapped_at < :until);

-- name: arrears
select stage, count(*) as loans, sum(overdue_fen)::bigint as overdue_fen, sum(coalesce(left_fen, amount_fen))::bigint as left_fen
from boards.loans where stage is not null and settled_on is null and written_off_fen = 0 group by stage order by stage;

-- name: standing
select count(*) filter (where paid_at is not null and returned_at is null)                                             as paid_out,
       count(*) filter (where paid_at is not null and returned_at is null and settled_on is null and stage is null and written_off_fen = 0) as running,
       count(*) filter (where settled_on is not null)                                                                  as settled,
       count(*) filter (where stage is not null and settled_on is null and written_off_fen = 0)                        as in_arrears,
       count(*) filter (where written_off_fen > 0)                                                                     as written_off,
       coalesce(sum(amount_fen) filter (where paid_at is not null and returned_at is null), 0)::bigint                 as paid_out_fen,
       coalesce(sum(repaid_fen), 0)::bigint                                                                            as repaid_fen,
       coalesce(sum(written_off_fen), 0)::bigint                                                                       as written_off_fen,
       coalesce(sum(recovered_fen), 0)::bigint                                                                         as recovered_fen
from boards.loans;

-- name: funding
select s.partner_id, count(*) as loans, sum(s.share_fen)::bigint as share_fen
from boards.shares s join boards.loans l on l.customer_id = s.customer_id and l.loan_id = s.loan_id
where l.paid_at is not null and l.returned_at is null and (:partner_ids::text[] is null or s.partner_id = any(:partner_ids))
group by s.partner_id order by s.partner_id;

-- name: thin_file
select count(*) filter (where a.is_thin_file)                                                       as decided,
       count(*) filter (where a.is_thin_file and a.outcome = 'offer')                               as offered,
       count(*) filter (where a.is_thin_file and a.paid_at is not null and a.returned_at is null)   as paid_out,
       (select count(*) from boards.loans where is_first_loan)                                      as first_loans,
       (select count(distinct customer_id) from boards.loans where is_first_loan)                   as first_loan_customers
from boards.applications a;

-- name: cases
select kind, count(*) as opened, count(*) filter (where closed_at is not null) as closed,
       count(*) filter (where closed_at is null and due < :today) as overdue
from boards.cases where kind is not null group by kind order by kind;

-- name: count_loans
select count(*) from boards.loans where paid_at is not null;

-- name: loans_newest
select l.customer_id, l.loan_id, l.application_id, l.amount_fen, l.months, l.value_date,
       case when l.settled_on is not null then 0 else coalesce(l.left_fen, l.amount_fen) end as left_fen, l.repaid_fen, l.stage,
       coalesce(:today::date - l.late_since, l.days_late) as days_late, l.overdue_fen, l.asset_class,
       case when l.returned_at is not null then 'returned' when l.written_off_fen > 0 then 'written_off' when l.settled_on is not null then 'settled'
            when l.stage is not null then 'late' else 'running' end as standing,
       coalesce(a.place_kind, '') as place_kind, extract(epoch from l.paid_at - a.tapped_at)::bigint as seconds
from (select * from boards.loans where paid_at is not null order by paid_at desc, loan_id limit :most offset :skip) l
left join boards.applications a on a.customer_id = l.customer_id and a.application_id = l.application_id
order by l.paid_at desc, l.loan_id;

-- name: loans_by_people
-- Loans narrowed by what is known of their application: the page is found among the applications, and only its loans are looked up.
select l.customer_id, l.loan_id, l.application_id, l.amount_fen, l.months, l.value_date,
       case when l.settled_on is not null then 0 else coalesce(l.left_fen, l.amount_fen) end as left_fen, l.repaid_fen, l.stage,
       coalesce(:today::date - l.late_since, l.days_late) as days_late, l.overdue_fen, l.asset_class,
       case when l.returned_at is not null then 'returned' when l.written_off_fen > 0 then 'written_off' when l.settled_on is not null then 'settled'
            when l.stage is not null then 'late' else 'running' end as standing,
       coalesce(a.place_kind, '') as place_kind, extract(epoch from l.paid_at - a.tapped_at)::bigint as seconds
from (select * from boards.applications a where a.paid_at is not null
  and (:group::text is null or a.returned_at is null and case :group
       when 'rural' then a.place_kind = 'village' when 'county' then a.place_kind in ('village', 'county_seat')
       when 'thin_file' then coalesce(a.is_thin_file, false)
       when 'below_tier_2' then (a.place_kind = 'city' and a.tier >= :tier_below::int or a.place_kind in ('village', 'county_seat'))
       when 'small_ticket' then a.paid_fen <= :small_fen::bigint when 'all' then true end)
  and (:entry_id::text is null or a.entry_id = :entry_id and a.returned_at is null)
  and (:over_seconds::bigint is null or extract(epoch from a.paid_at - a.tapped_at) >= :over_seconds)
  and (:under_seconds::bigint is null or extract(epoch from a.paid_at - a.tapped_at) < :under_seconds)
      order by a.paid_at desc, a.application_id limit :most offset :skip) a
join boards.loans l on l.customer_id = a.customer_id and l.loan_id = a.loan_id
order by a.paid_at desc, a.application_id;

-- name: loans_by_people_count
select count(*) from boards.applications a where a.paid_at is not null
  and (:group::text is null or a.returned_at is null and case :group
       when 'rural' then a.place_kind = 'village' when 'county' then a.place_kind in ('village', 'county_seat')
       when 'thin_file' then coalesce(a.is_thin_file, false)
       when 'below_tier_2' then (a.place_kind = 'city' and a.tier >= :tier_below::int or a.place_kind in ('village', 'county_seat'))
       when 'small_ticket' then a.paid_fen <= :small_fen::bigint when 'all' then true end)
  and (:entry_id::text is null or a.entry_id = :entry_id and a.returned_at is null)
  and (:over_seconds::bigint is null or extract(epoch from a.paid_at - a.tapped_at) >= :over_seconds)
  and (:under_seconds::bigint is null or extract(epoch from a.paid_at - a.tapped_at) < :under_seconds);

-- name: loans_page
select l.customer_id, l.loan_id, l.application_id, l.amount_fen, l.months, l.value_date,
       case when l.settled_on is not null then 0 else coalesce(l.left_fen, l.amount_fen) end as left_fen, l.repaid_fen, l.stage,
       coalesce(:today::date - l.late_since, l.days_late) as days_late, l.overdue_fen, l.asset_class,
       case when l.returned_at is not null then 'returned' when l.written_off_fen > 0 then 'written_off' when l.settled_on is not null then 'settled'
            when l.stage is not null then 'late' else 'running' end as standing,
       coalesce(a.place_kind, '') as place_kind, extract(epoch from l.paid_at - a.tapped_at)::bigint as seconds
from boards.loans l left join boards.applications a on a.customer_id = l.customer_id and a.application_id = l.application_id
where l.paid_at is not null
  and (:customer_id::text is null or l.customer_id = :customer_id)
  and (:stage::text is null or l.stage = :stage and l.settled_on is null and l.written_off_fen = 0)
  and (:asset_class::text is null or coalesce(l.asset_class, 'normal') = :asset_class and l.settled_on is null and l.returned_at is null and l.written_off_fen = 0)
  and (:since::date is null or l.value_date >= :since) and (:until::date is null or l.value_date < :until)
  and (:late_within::int is null or l.late_31_on is not null and l.returned_at is null
       and (extract(year from l.late_31_on) - extract(year from l.value_date)) * 12 + extract(month from l.late_31_on) - extract(month from l.value_date)
           <= :late_within)
  and (:standing::text is null or :standing =
       case when l.returned_at is not null then 'returned' when l.written_off_fen > 0 then 'written_off' when l.settled_on is not null then 'settled'
            when l.stage is not null then 'late' else 'running' end)
  and (:partner_id::text is null or l.returned_at is null and exists (select 1 from boards.shares s
       where s.partner_id = :partner_id and s.customer_id = l.customer_id and s.loan_id = l.loan_id))
  and (:entry_id::text is null or a.entry_id = :entry_id and l.returned_at is null)
  and (:over_seconds::bigint is null or extract(epoch from l.paid_at - a.tapped_at) >= :over_seconds)
  and (:under_seconds::bigint is null or extract(epoch from l.paid_at - a.tapped_at) < :under_seconds)
  and (:group::text is null or l.returned_at is null and case :group
       when 'rural' then (a.place_kind = 'village') when 'county' then (a.place_kind in ('village', 'county_seat'))
       when 'thin_file' then coalesce(a.is_thin_file, false)
       when 'below_tier_2' then (a.place_kind = 'city' and a.tier >= :tier_below::int or a.place_kind in ('village', 'county_seat'))
       when 'small_ticket' then (l.amount_fen <= :small_fen::bigint) when 'all' then true end)
order by case :sort::text when 'amount' then l.amount_fen when 'left' then case when l.settled_on is not null then 0 else coalesce(l.left_fen, l.amount_fen) end
              when 'late' then coalesce(:today::date - l.late_since, l.days_late) when 'overdue' then l.overdue_fen else extract(epoch from l.paid_at)::bigint end desc, l.loan_id
limit :most offset :skip;

-- name: loans_page_count
select count(*)
from boards.loans l left join boards.applications a on a.customer_id = l.customer_id and a.application_id = l.application_id
where l.paid_at is not null
  and (:customer_id::text is null or l.customer_id = :customer_id)
  and (:stage::text is null or l.stage = :stage and l.settled_on is null and l.written_off_fen = 0)
  and (:asset_class::text is null or coalesce(l.asset_class, 'normal') = :asset_class and l.settled_on is null and l.returned_at is null and l.written_off_fen = 0)
  and (:since::date is null or l.value_date >= :since) and (:until::date is null or l.value_date < :until)
  and (:late_within::int is null or l.late_31_on is not null and l.returned_at is null
       and (extract(year from l.late_31_on) - extract(year from l.value_date)) * 12 + extract(month from l.late_31_on) - extract(month from l.value_date)
           <= :late_within)
  and (:standing::text is null or :standing =
       case when l.returned_at is not null then 'returned' when l.written_off_fen > 0 then 'written_off' when l.settled_on is not null then 'settled'
            when l.stage is not null then 'late' else 'running' end)
  and (:partner_id::text is null or l.returned_at is null and exists (select 1 from boards.shares s
       where s.partner_id = :partner_id and s.customer_id = l.customer_id and s.loan_id = l.loan_id))
  and (:entry_id::text is null or a.entry_id = :entry_id and l.returned_at is null)
  and (:over_seconds::bigint is null or extract(epoch from l.paid_at - a.tapped_at) >= :over_seconds)
  and (:under_seconds::bigint is null or extract(epoch from l.paid_at - a.tapped_at) < :under_seconds)
  and (:group::text is null or l.returned_at is null and case :group
       when 'rural' then (a.place_kind = 'village') when 'county' then (a.place_kind in ('village', 'county_seat'))
       when 'thin_file' then coalesce(a.is_thin_file, false)
       when 'below_tier_2' then (a.place_kind = 'city' and a.tier >= :tier_below::int or a.place_kind in ('village', 'county_seat'))
       when 'small_ticket' then (l.amount_fen <= :small_fen::bigint) when 'all' then true end);

-- name: applications_page
select customer_id, application_id, entry_id, scene, amount_fen, months, tapped_at,
       (extract(epoch from decided_at - tapped_at) * 1000)::bigint as decided_ms, outcome, band, is_thin_file, ended_why, loan_id
from boards.applications
where tapped_at is not null
  and (:customer_id::text is null or customer_id = :customer_id)
  and (:outcome::text is null or coalesce(outcome, 'waiting') = :outcome)
  and (:entry_id::text is null or entry_id = :entry_id) and (:scene::text is null or scene = :scene) and (:band::text is null or band = :band)
  and (:is_thin_file::boolean is null or is_thin_file = :is_thin_file)
  and (:since::timestamptz is null or tapped_at >= :since) and (:until::timestamptz is null or tapped_at < :until)
  and (:reached::text is null or case :reached when 'accepted' then accepted_at is not null when 'signed' then signed_at is not null
       when 'paid' then paid_at is not null and returned_at is null when 'settled' then settled_on is not null
       when 'expired' then ended_why = 'expired' when 'cancelled' then ended_why = 'cancelled' end)
order by tapped_at desc, application_id limit :most offset :skip;

-- name: applications_page_count
select count(*) from boards.applications
where tapped_at is not null
  and (:customer_id::text is null or customer_id = :customer_id)
  and (:outcome::text is null or coalesce(outcome, 'waiting') = :outcome)
  and (:entry_id::text is null or entry_id = :entry_id) and (:scene::text is null or scene = :scene) and (:band::text is null or band = :band)
  and (:is_thin_file::boolean is null or is_thin_file = :is_thin_file)
  and (:since::timestamptz is null or tapped_at >= :since) and (:until::timestamptz is null or tapped_at < :until)
  and (:reached::text is null or case :reached when 'accepted' then accepted_at is not null when 'signed' then signed_at is not null
       when 'paid' then paid_at is not null and returned_at is null when 'settled' then settled_on is not null
       when 'expired' then ended_why = 'expired' when 'cancelled' then ended_why = 'cancelled' end);

-- name: cohorts
select date_trunc('month', value_date)::date as month, count(*) as loans
from boards.loans where value_date >= :since::date and returned_at is null group by 1;

-- name: cohorts_turned
select month, late, age::int as age, count(*) as loans
from (
    select date_trunc('month', value_date)::date as month, turned.late,
           (extract(year from turned.on_day) - extract(year from value_date)) * 12 + extract(month from turned.on_day) - extract(month from value_date) as age
    from boards.loans, lateral (values (31, late_31_on), (91, late_91_on)) as turned (late, on_day)
    where value_date >= :since::date and returned_at is null and turned.on_day is not null
) as one group by month, late, age;

-- name: reach
-- Groups of loans paid out and not returned, by where the person lived when he applied; what lies in two groups is counted in both, and printed.
select name as "group", count(*) as loans, count(distinct customer_id) as persons, sum(amount_fen)::bigint as amount_fen,
       percentile_disc(0.5) within group (order by amount_fen) as median_fen,
       array[count(*) filter (where rural), count(*) filter (where county), count(*) filter (where thin_file), count(*) filter (where below_tier_2),
             count(*) filter (where small_ticket), count(*)] as overlaps
from (
    select customer_id, paid_fen as amount_fen, place_kind = 'village' as rural, place_kind in ('village', 'county_seat') as county, coalesce(is_thin_file, false) as thin_file,
           (place_kind = 'city' and tier >= :tier_below::int or place_kind in ('village', 'county_seat')) as below_tier_2, paid_fen <= :small_fen::bigint as small_ticket
    from boards.applications where paid_at is not null and returned_at is null
) as one
cross join lateral (
    values ('rural', rural), ('county', county), ('thin_file', thin_file), ('below_tier_2', below_tier_2), ('small_ticket', small_ticket), ('all', true)
) as its (name, is_in)
where is_in group by name;

-- name: tap_to_money
select width_bucket(extract(epoch from paid_at - tapped_at)::double precision, :bounds::double precision[]) as slice, count(*) as loans
from boards.applications where paid_at is not null and tapped_at is not null group by 1;

-- name: timings
select count(decided_at) as answer_n, count(accepted_at) as accept_n, count(signed_at) as sign_n, count(paid_at) as money_n,
       percentile_disc(array[0.5, 0.95]) within group (order by (extract(epoch from decided_at - tapped_at) * 1000)::bigint) as answer_ms,
       percentile_disc(array[0.5, 0.95]) within group (order by (extract(epoch from accepted_at - decided_at) * 1000)::bigint) as accept_ms,
       percentile_disc(array[0.5, 0.95]) within group (order by (extract(epoch from signed_at - accepted_at) * 1000)::bigint) as sign_ms,
       percentile_disc(array[0.5, 0.95]) within group (order by (extract(epoch from paid_at - signed_at) * 1000)::bigint) as money_ms
from boards.applications where tapped_at is not null;

-- name: places
select place_kind, count(*) as loans, sum(paid_fen)::bigint as amount_fen
from boards.applications where paid_at is not null and returned_at is null group by 1 order by 1;

-- name: applicant_of
select customer_id from boards.applications where application_id = :application_id limit 1;

-- name: happened
select coalesce(sum(frozen), 0)::bigint as frozen, coalesce(sum(failed_collects), 0)::bigint as failed_collects from boards.days;

-- name: through
select count(*) from boards.applications where tapped_at is not null and entry_id = any (:entry_ids);

-- name: in_scenes
select count(*) from boards.applications where tapped_at is not null and scene <> '';

-- name: by_scene
select scene, count(*) as applications, count(*) filter (where paid_at is not null and returned_at is null) as paid_out
from boards.applications where scene <> '' group by scene order by 2 desc, 1 limit :most;

-- name: more_memory
-- A join of a hundred thousand rows is hashed in memory, for this one Work.
set local work_mem = '32MB';
