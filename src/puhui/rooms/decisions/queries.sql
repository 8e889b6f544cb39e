-- name: add_artefact
insert into decisions.artefacts (sha256, kind, content, recorded_at) values (:sha256, :kind, :content, :at) on conflict (sha256) do nothing;

-- name: find_artefact
select content from decisions.artefacts where sha256 = :sha256;

-- name: all_artefacts
select sha256, kind, content from decisions.artefacts order by kind, sha256;

-- name: add_strategy
insert into decisions.strategies (strategy_sha256, product_id, version, scorecard_sha256, policy_sha256, product_sha256, standing, approval_id, changed_at)
values (:strategy_sha256, :product_id,
    (select coalesce(max(version), 0) + 1 from decisions.strategies where product_id = :product_id),
    :scorecard_sha256, :policy_sha256, :product_sha256, 'draft', '', :at)
on conflict (strategy_sha256) do nothing;

-- name: strategies_of
select strategy_sha256, product_id, version, scorecard_sha256, policy_sha256, product_sha256, standing, share_bp, approval_id, changed_at
from decisions.strategies where product_id = :product_id order by version;

-- name: lock_strategies
select strategy_sha256, standing from decisions.strategies where product_id = :product_id order by version for update;

-- name: live_strategies
-- Those that decide or shadow now, the champion first.
select strategy_sha256, scorecard_sha256, policy_sha256, product_sha256, standing, share_bp
from decisions.strategies where product_id = :product_id and standing in ('champion', 'challenger', 'shadow')
order by case standing when 'champion' then 0 when 'challenger' then 1 else 2 end, version;

-- name: set_standing
update decisions.strategies set standing = :standing, share_bp = :share_bp, approval_id = :approval_id, changed_at = :at
where strategy_sha256 = :strategy_sha256;

-- name: add_change
insert into decisions.strategy_changes (strategy_sha256, standing, share_bp, approval_id, at)
values (:strategy_sha256, :standing, :share_bp, :approval_id, :at);

-- name: lock_person
-- Two taps of one person wait for each other.
select pg_advisory_xact_lock(hashtextextended('decisions|' || :customer_id, 0));

-- name: add_application
insert into decisions.applications (customer_id, application_id, k, session_id, entry_id, scene, order_token, device_id, amount_fen, months, purpose,
    tapped_at, state)
values (:customer_id, :application_id, :k, :session_id, :entry_id, :scene, :order_token, :device_id, :amount_fen, :months, :purpose, :at, 'waiting');

-- name: find_application
select customer_id, application_id, k, session_id, entry_id, scene, order_token, device_id, amount_fen, months, purpose, tapped_at, state, why
from decisions.applications where customer_id = :customer_id and application_id = :application_id;

-- name: open_application
select customer_id, application_id, k, session_id, entry_id, scene, order_token, device_id, amount_fen, months, purpose, tapped_at, state, why
from decisions.applications where customer_id = :customer_id and state in ('waiting', 'proof', 'offered', 'accepted');

-- name: last_application
select customer_id, application_id, k, session_id, entry_id, scene, order_token, device_id, amount_fen, months, purpose, tapped_at, state, why
from decisions.applications where customer_id = :customer_id order by k desc limit 1;

-- name: applications_of
select customer_id, application_id, k, session_id, entry_id, scene, order_token, device_id, amount_fen, months, purpose, tapped_at, state, why
from decisions.applications where customer_id = :customer_id order by k;

-- name: set_application_state
update decisions.applications set state = :state, why = :why, ended_at = :ended_at
where customer_id = :customer_id and application_id = :application_id;

-- name: count_applications
-- How often the person applied since an instant, this application left out.
select count(*)::int from decisions.applications
where customer_id = :customer_id and tapped_at >= :since and application_id <> :application_id;

-- name: count_device_persons
select count(distinct customer_id)::int from decisions.applications where device_id = :device_id and tapped_at >= :since and device_id <> '';

-- name: add_proof
insert into decisions.proofs (customer_id, application_id, k, kind, file_ref, fields_sealed, at)
values (:customer_id, :application_id,
    (select count(*) + 1 from decisions.proofs where customer_id = :customer_id and application_id = :application_id),
    :kind, :file_ref, :fields_sealed, :at);

-- name: proofs_of
select k, kind, file_ref, fields_sealed, at from decisions.proofs where customer_id = :customer_id and application_id = :application_id order by k;

-- name: count_records
select count(*)::int from decisions.records where customer_id = :customer_id and application_id = :application_id;

-- name: add_record
insert into decisions.records (customer_id, decision_id, application_id, k, kind, at, inputs_sealed, inputs_sha256, outcome_sealed, outcome_sha256,
    strategy_sha256, artefacts, packs, sources, shadows, kernel, points, probability_ppm, band, answer, limit_fen, ladder, fired, is_thin_file,
    has_no_flip, decided_by, review_of)
values (:customer_id, :decision_id, :application_id, :k, :kind, :at, :inputs_sealed, :inputs_sha256, :outcome_sealed, :outcome_sha256,
    :strategy_sha256, :artefacts, :packs, :sources, :shadows, :kernel, :points, :probability_ppm, :band, :answer, :limit_fen, :ladder, :fired,
    :is_thin_file, :has_no_flip, :decided_by, :review_of);

-- name: find_record
select * from decisions.records where customer_id = :customer_id and decision_id = :decision_id;

-- name: find_record_by_id
select * from decisions.records where decision_id = :decision_id;

-- name: records_of
select * from decisions.records where customer_id = :customer_id order by at, application_id, k;

-- name: last_record
select * from decisions.records where customer_id = :customer_id and application_id = :application_id order by k desc limit 1;

-- name: records_after
select * from decisions.records where (at, decision_id) > (:at, :decision_id) order by at, decision_id limit :most;

-- name: recent_inputs
-- The newest decisions' inputs; a review reads what the decision before it read.
select customer_id, at, inputs_sealed from decisions.records where kind <> 'review' order by at desc, decision_id desc limit :most;

-- name: newest_record_of
select * from decisions.records where customer_id = :customer_id order by at desc, k desc limit 1;

-- name: newest_scorecard
select artefacts ->> 'scorecard' as sha256 from decisions.records order by at desc, decision_id desc limit 1;

-- name: count_by_answer
select answer, count(*)::int as decisions, count(*) filter (where has_no_flip)::int as without_flip from decisions.records where kind <> 'review' group by answer;

-- name: add_offer
insert into decisions.offers (customer_id, offer_id, application_id, decision_id, method, amount_min_fen, amount_max_fen, step_fen, months, rate_ppm,
    all_in_max_ppm, expires_at)
values (:customer_id, :offer_id, :application_id, :decision_id, :method, :amount_min_fen, :amount_max_fen, :step_fen, :months, :rate_ppm,
    :all_in_max_ppm, :expires_at);

-- name: find_offer
select o.customer_id, o.offer_id, o.application_id, o.decision_id, o.method, o.amount_min_fen, o.amount_max_fen, o.step_fen, o.months, o.rate_ppm,
    o.all_in_max_ppm, o.expires_at, a.state as application_state, r.band, r.is_thin_file, r.artefacts ->> 'product' as product_sha256
from decisions.offers o
join decisions.applications a using (customer_id, application_id)
join decisions.records r using (customer_id, decision_id)
where o.customer_id = :customer_id and o.offer_id = :offer_id;

-- name: offers_of
select offer_id, application_id, decision_id, method, amount_min_fen, amount_max_fen, step_fen, months, rate_ppm, all_in_max_ppm, expires_at
from decisions.offers where customer_id = :customer_id and decision_id = :decision_id order by offer_id;

-- name: applications_to_expire
select a.customer_id, a.application_id from decisions.applications a
where (a.state = 'offered' and not exists (
    select 1 from decisions.offers o where o.customer_id = a.customer_id and o.application_id = a.application_id and o.expires_at > :at))
    or (a.state = 'proof' and a.tapped_at < :proof_since)
order by a.customer_id limit :most;

-- name: open_exposure
insert into decisions.exposures (customer_id, owed_fen, held_fen, cap_fen) values (:customer_id, 0, 0, :cap_fen) on conflict (customer_id) do nothing;

-- name: lock_exposure
-- The one row that all who would raise a person's debt wait for.
select owed_fen, held_fen, cap_fen from decisions.exposures where customer_id = :customer_id for update;

-- name: find_exposure
select owed_fen, held_fen, cap_fen from decisions.exposures where customer_id = :customer_id;

-- name: set_exposure
update decisions.exposures set owed_fen = :owed_fen, held_fen = :held_fen, cap_fen = :cap_fen where customer_id = :customer_id;

-- name: exposures_after
select customer_id, owed_fen, held_fen, cap_fen from decisions.exposures where customer_id > :after order by customer_id limit :most;

-- name: add_hold
insert into decisions.holds (customer_id, loan_id, application_id, offer_id, amount_fen, months, state, at)
values (:customer_id, :loan_id, :application_id, :offer_id, :amount_fen, :months, 'held', :at);

-- name: find_hold
select customer_id, loan_id, application_id, offer_id, amount_fen, months, state from decisions.holds where customer_id = :customer_id and loan_id = :loan_id;

-- name: set_hold_state
update decisions.holds set state = :state where customer_id = :customer_id and loan_id = :loan_id and state = :before;

-- name: holds_of
select loan_id, application_id, offer_id, amount_fen, months, state from decisions.holds where customer_id = :customer_id order by at, loan_id;

-- name: unequal_holds
-- Invariant: what is held is the sum of the live holds, person by person.
select e.customer_id, e.held_fen, coalesce(sum(h.amount_fen) filter (where h.state = 'held'), 0)::bigint as holds_fen
from decisions.exposures e left join decisions.holds h using (customer_id)
group by e.customer_id, e.held_fen having e.held_fen <> coalesce(sum(h.amount_fen) filter (where h.state = 'held'), 0)
order by e.customer_id limit :most;

-- name: product_of_strategy
select product_id from decisions.strategies where strategy_sha256 = :strategy_sha256;

-- name: add_card
insert into decisions.cards (customer_id, binding_id, at) values (:customer_id, :binding_id, :at) on conflict do nothing;

-- name: newest_card
-- The newest card of a person who had one before; nothing for a first card.
select max(at) from decisions.cards where customer_id = :customer_id and at <= :at having count(*) > 1;
