-- name: add_customer
insert into customers.customers (customer_id, session_id, entry_id, registered_at, phone_sealed, phone_blind, phone_since)
values (:customer_id, :session_id, :entry_id, :at, :phone_sealed, :phone_blind, :at)
on conflict (customer_id) do nothing;

-- name: lock_customer
-- Whoever changes a person's rows waits for the other.
select customer_id, session_id, entry_id, registered_at, state, closed_at, merged_into, frozen_because, frozen_at, contact_closed, phone_sealed,
       living_place_code, living_place_kind, is_thin_file
from customers.customers where customer_id = :customer_id for update;

-- name: find_customer
select customer_id, session_id, entry_id, registered_at, state, closed_at, merged_into, frozen_because, frozen_at, contact_closed, phone_sealed,
       living_place_code, living_place_kind, is_thin_file
from customers.customers where customer_id = :customer_id;

-- name: people_of_phone
select c.customer_id, i.tail_blind
from customers.customers c left join customers.identities i using (customer_id)
where c.phone_blind = :phone_blind and c.state <> 'closed'
order by c.registered_at, c.customer_id;

-- name: set_phone
update customers.customers set phone_sealed = :phone_sealed, phone_blind = :phone_blind, phone_since = :at where customer_id = :customer_id;

-- name: set_living_place
update customers.customers set living_place_code = :code, living_place_kind = :kind, living_place_tier = :tier where customer_id = :customer_id;

-- name: set_frozen
update customers.customers set frozen_because = :because, frozen_at = :at where customer_id = :customer_id;

-- name: set_contact_closed
update customers.customers set contact_closed = :because where customer_id = :customer_id;

-- name: set_thin_file
update customers.customers set is_thin_file = :is_thin_file, thin_file_at = :at where customer_id = :customer_id;

-- name: set_state
update customers.customers set state = :state, closed_at = :closed_at, merged_into = :merged_into where customer_id = :customer_id;

-- name: closing
select customer_id from customers.customers where state = 'closing' order by customer_id;

-- name: forget_phone
update customers.customers set phone_sealed = null, phone_blind = null where customer_id = :customer_id;

-- name: standing
-- Where one person stands, in one reading.
select c.state, c.frozen_because, c.contact_closed, c.living_place_code, c.living_place_kind, c.living_place_tier, c.is_thin_file, c.merged_into, c.entry_id,
       i.expires_on, i.is_blocked, i.four_factor_ok, i.home_place_code,
       exists (select 1 from customers.bindings b where b.customer_id = c.customer_id and b.state = 'active') as has_card,
       coalesce((select array_agg(distinct o.item) from customers.consents o
                 where o.customer_id = c.customer_id and o.withdrawn_at is null and o.until > :at), '{}') as items
from customers.customers c left join customers.identities i using (customer_id)
where c.customer_id = :customer_id;

-- name: find_identity
select i.*, c.phone_sealed, c.living_place_code, c.living_place_kind
from customers.identities i join customers.customers c using (customer_id) where i.customer_id = :customer_id;

-- name: lock_id
-- Two who claim one id number wait for each other, whoever they are.
select pg_advisory_xact_lock(hashtextextended('customers.id|' || encode(:id_blind, 'hex'), 0));

-- name: who_has_id
select customer_id from customers.identities where id_blind = :id_blind;

-- name: put_identity
insert into customers.identities (customer_id, name_sealed, name_blind, id_number_sealed, id_blind, tail_blind, home_place_code, address_code, issuer,
    expires_on, id_check_id, face_check_id, live_ppm, same_ppm, is_simulated, is_blocked, checked_at)
values (:customer_id, :name_sealed, :name_blind, :id_number_sealed, :id_blind, :tail_blind, :home_place_code, :address_code, :issuer,
    :expires_on, :id_check_id, :face_check_id, :live_ppm, :same_ppm, :is_simulated, :is_blocked, :at)
on conflict (customer_id) do update set
    name_sealed = excluded.name_sealed, name_blind = excluded.name_blind, id_number_sealed = excluded.id_number_sealed, home_place_code = excluded.home_place_code,
    address_code = excluded.address_code, issuer = excluded.issuer, expires_on = excluded.expires_on, id_check_id = excluded.id_check_id,
    face_check_id = excluded.face_check_id, live_ppm = excluded.live_ppm, same_ppm = excluded.same_ppm,
    is_simulated = excluded.is_simulated, is_blocked = excluded.is_blocked, checked_at = excluded.checked_at;

-- name: set_face
update customers.identities set face_check_id = :face_check_id, live_ppm = :live_ppm, same_ppm = :same_ppm where customer_id = :customer_id;

-- name: set_four_factor
update customers.identities set four_factor_ok = :is_ok where customer_id = :customer_id;

-- name: set_blocked
update customers.identities set is_blocked = :is_blocked where customer_id = :customer_id;

-- name: last_check
select check_id, kind, k, digest, consent_id, as_of, answered_at, result_sealed
from customers.checks where customer_id = :customer_id and kind = :kind order by k desc limit 1;

-- name: add_check
insert into customers.checks (customer_id, check_id, kind, k, digest, consent_id, as_of)
values (:customer_id, :check_id, :kind, :k, :digest, :consent_id, :as_of);

-- name: answer_check
update customers.checks set answered_at = :at, result_sealed = :result_sealed where customer_id = :customer_id and check_id = :check_id;

-- name: checks_of
select check_id, kind, consent_id, as_of, answered_at, result_sealed from customers.checks where customer_id = :customer_id order by as_of, check_id;

-- name: add_screening
insert into customers.screenings (customer_id, check_id, at, lists_version, verdict, hits, recheck_on, is_simulated)
values (:customer_id, :check_id, :at, :lists_version, :verdict, :hits, :recheck_on, :is_simulated)
on conflict (customer_id, check_id) do nothing;

-- name: last_screening
select check_id, at, lists_version, verdict, hits, recheck_on, is_simulated
from customers.screenings where customer_id = :customer_id order by at desc, check_id desc limit 1;

-- name: screenings_of
select check_id, at, lists_version, verdict, hits, recheck_on, is_simulated
from customers.screenings where customer_id = :customer_id order by at, check_id;

-- name: to_screen_again
-- Whose last screening has run out.
select s.customer_id from customers.screenings s join customers.customers c using (customer_id)
where c.state = 'open' and s.recheck_on <= :today
  and not exists (select 1 from customers.screenings n where n.customer_id = s.customer_id and n.at > s.at)
order by s.customer_id limit :most;

-- name: postpone_screening
update customers.screenings set recheck_on = :recheck_on where customer_id = :customer_id and check_id = :check_id;

-- name: add_consent
insert into customers.consents (customer_id, consent_id, item, purpose, recipient, wording, session_id, given_at, until, sha256)
values (:customer_id, :consent_id, :item, :purpose, :recipient, :wording, :session_id, :given_at, :until, :sha256);

-- name: count_consents
select item, count(*)::int as n from customers.consents where customer_id = :customer_id group by item;

-- name: live_consent
-- The newest consent in force for an item and recipient.
select customer_id, consent_id, item, purpose, recipient, wording, session_id, given_at, until, sha256, withdrawn_at
from customers.consents
where customer_id = :customer_id and item = :item and recipient = :recipient and withdrawn_at is null and until > :at and given_at <= :at
order by given_at desc, consent_id desc limit 1;

-- name: live_consents
-- The newest consent in force for each of these items, as far as its recipient is the item's own.
select distinct on (item) customer_id, consent_id, item, purpose, recipient, wording, session_id, given_at, until, sha256, withdrawn_at
from customers.consents
where customer_id = :customer_id and item = any(:items) and withdrawn_at is null and until > :at and given_at <= :at
order by item, given_at desc, consent_id desc;

-- name: find_consent
select customer_id, consent_id, item, purpose, recipient, wording, session_id, given_at, until, sha256, withdrawn_at
from customers.consents where customer_id = :customer_id and consent_id = :consent_id;

-- name: consents_of
select customer_id, consent_id, item, purpose, recipient, wording, session_id, given_at, until, sha256, withdrawn_at
from customers.consents where customer_id = :customer_id order by given_at, consent_id;

-- name: withdraw_consents
-- One consent's withdrawal ends every live one of the same item and recipient: the person said no to the item, not to a receipt.
update customers.consents set withdrawn_at = :at
where customer_id = :customer_id and item = :item and recipient = :recipient and withdrawn_at is null and until > :at
returning consent_id;

-- name: last_binding
select binding_id, k, state, digest, account, bank_code, tail from customers.bindings where customer_id = :customer_id order by k desc limit 1;

-- name: add_binding
insert into customers.bindings (customer_id, binding_id, k, state, digest, card_blind, phone_sealed, asked_at)
values (:customer_id, :binding_id, :k, 'asked', :digest, :card_blind, :phone_sealed, :at);

-- name: end_active_binding
update customers.bindings set state = 'replaced', ended_at = :at where customer_id = :customer_id and state = 'active';

-- name: activate_binding
update customers.bindings set state = 'active', account = :account, bank_code = :bank_code, tail = :tail
where customer_id = :customer_id and binding_id = :binding_id;

-- name: refuse_binding
update customers.bindings set state = 'refused', ended_at = :at, code = :code where customer_id = :customer_id and binding_id = :binding_id;

-- name: active_binding
select binding_id, account, bank_code, tail from customers.bindings where customer_id = :customer_id and state = 'active';

-- name: active_card_phone
select phone_sealed from customers.bindings where customer_id = :customer_id and state = 'active';

-- name: bindings_of
select binding_id, state, bank_code, tail, asked_at, ended_at from customers.bindings where customer_id = :customer_id order by k;

-- name: see_device
insert into customers.devices (customer_id, device_id, first_seen, last_seen) values (:customer_id, :device_id, :at, :at)
on conflict (customer_id, device_id) do update set last_seen = greatest(devices.last_seen, excluded.last_seen);

-- name: knows_device
select exists (select 1 from customers.devices where customer_id = :customer_id and device_id = :device_id);

-- name: forget_devices
delete from customers.devices where customer_id = :customer_id;

-- name: devices_of
select device_id, first_seen, last_seen from customers.devices where customer_id = :customer_id order by first_seen, device_id;

-- name: people_of_device
select customer_id, first_seen from customers.devices where device_id = :device_id order by first_seen, customer_id;

-- name: find_file_key
select key_sealed from customers.file_keys where owner = :owner;

-- name: add_file_key
insert into customers.file_keys (owner, key_sealed) values (:owner, :key_sealed) on conflict (owner) do nothing;

-- name: drop_file_key
delete from customers.file_keys where owner = :owner;

-- name: add_file
insert into customers.files (owner, file_ref, sha256, media_type, sealed, at) values (:owner, :file_ref, :sha256, :media_type, :sealed, :at)
on conflict (owner, file_ref) do nothing;

-- name: find_file
select owner, file_ref, sha256, media_type, kind, sealed from customers.files
where owner = any(:owners) and file_ref = :file_ref and deleted_at is null;

-- name: files_of
select file_ref, sha256, media_type, kind, at, delete_at, deleted_at from customers.files where owner = :owner order by at, file_ref;

-- name: set_file_kind
update customers.files set kind = :kind, delete_at = :delete_at where owner = any(:owners) and file_ref = :file_ref;

-- name: delete_due_files
update customers.files set sealed = null, deleted_at = :at where deleted_at is null and delete_at <= :at;

-- name: delete_files
update customers.files set sealed = null, deleted_at = :at where owner = :owner and deleted_at is null;

-- name: count_cases
select count(*)::int from customers.cases where customer_id = :customer_id and kind = :kind;

-- name: add_case
insert into customers.cases (customer_id, case_id, kind, k, subject, text_sealed, proof_ref, state, opened_at, due, packs)
values (:customer_id, :case_id, :kind, :k, :subject, :text_sealed, :proof_ref, 'opened', :at, :due, :packs);

-- name: find_case
select customer_id, case_id, kind, subject, text_sealed, proof_ref, state, opened_at, due, packs, answered_at, answered_by, outcome,
       answer_sealed, closed_at
from customers.cases where customer_id = :customer_id and case_id = :case_id;

-- name: open_case_of
select customer_id, case_id, kind, subject, text_sealed, proof_ref, state, opened_at, due, packs, answered_at, answered_by, outcome,
       answer_sealed, closed_at
from customers.cases where customer_id = :customer_id and kind = :kind and subject = :subject and answered_at is null
order by opened_at limit 1;

-- name: lock_case
select customer_id, case_id, kind, subject, text_sealed, proof_ref, state, opened_at, due, packs, answered_at, answered_by, outcome,
       answer_sealed, closed_at
from customers.cases where customer_id = :customer_id and case_id = :case_id for update;

-- name: cases_of
select customer_id, case_id, kind, subject, text_sealed, proof_ref, state, opened_at, due, packs, answered_at, answered_by, outcome,
       answer_sealed, closed_at
from customers.cases where customer_id = :customer_id order by opened_at, case_id;

-- name: cases_waiting
select customer_id, case_id, kind, subject, text_sealed, proof_ref, state, opened_at, due, packs, answered_at, answered_by, outcome,
       answer_sealed, closed_at
from customers.cases where answered_at is null order by due, opened_at, case_id limit :most;

-- name: count_overdue
select count(*)::int from customers.cases where answered_at is null and due < :today;

-- name: set_case_state
update customers.cases set state = :state, closed_at = :closed_at where customer_id = :customer_id and case_id = :case_id;

-- name: answer_case
update customers.cases set state = 'answered', answered_at = :at, answered_by = :answered_by, outcome = :outcome, answer_sealed = :answer_sealed
where customer_id = :customer_id and case_id = :case_id;

-- name: add_copy
insert into customers.copies (customer_id, sha256, sealed, made_at, expires_at) values (:customer_id, :sha256, :sealed, :at, :expires_at)
on conflict (customer_id, sha256) do update set sealed = excluded.sealed, made_at = excluded.made_at, expires_at = excluded.expires_at,
    downloaded_at = null;

-- name: take_copy
-- One download: the row that gives the bytes loses them.
with held as (
    select customer_id, sha256, sealed from customers.copies
    where customer_id = :customer_id and sha256 = :sha256 and sealed is not null and expires_at > :at for update
)
update customers.copies c set sealed = null, downloaded_at = :at from held
where c.customer_id = held.customer_id and c.sha256 = held.sha256 returning held.sealed;

-- name: has_copy
select exists (select 1 from customers.copies where customer_id = :customer_id and sha256 = :sha256);

-- name: drop_old_copies
update customers.copies set sealed = null where sealed is not null and expires_at <= :at;

-- name: erase_identity
delete from customers.identities where customer_id = :customer_id;

-- name: erase_cases
update customers.cases set text_sealed = ''::bytea, answer_sealed = null where customer_id = :customer_id;

-- name: erase_checks
update customers.checks set result_sealed = null where customer_id = :customer_id;

-- name: erase_bindings
update customers.bindings set phone_sealed = ''::bytea where customer_id = :customer_id;

-- name: found_by_name
select i.customer_id from customers.identities i where i.name_blind = :name_blind order by i.customer_id limit :most;

-- name: found_by_phone
select customer_id from customers.customers where phone_blind = :phone_blind and state <> 'closed' order by customer_id limit :most;

-- name: cases_page
select customer_id, case_id, kind, subject, text_sealed, proof_ref, state, opened_at, due, packs, answered_at, answered_by, outcome,
       answer_sealed, closed_at
from customers.cases
where answered_at is null and (:kind::text is null or kind = :kind) and (not :is_late::boolean or due < :today)
order by due, opened_at, case_id limit :most offset :skip;

-- name: cases_page_count
select count(*) from customers.cases
where answered_at is null and (:kind::text is null or kind = :kind) and (not :is_late::boolean or due < :today);
