-- name: add_partner
-- A development partner that is known already only gets its new service_url and name; where it stands is never touched by this.
insert into partners.partners (partner_id, name, roles, standing, service_url, key_owner, exposure_max_fen, day_max_fen, is_development)
values (:partner_id, :name, :roles, :standing, :service_url, :key_owner, :exposure_max_fen, :day_max_fen, :is_development)
on conflict (partner_id) do update set service_url = excluded.service_url where partners.is_development and partners.service_url <> excluded.service_url;

-- name: add_contract
insert into partners.contracts (contract_id, partner_id, role, since, until, sha256)
values (:contract_id, :partner_id, :role, :since, :until, :sha256)
on conflict (contract_id) do nothing;

-- name: find_partner
select partner_id, name, roles, standing, service_url, key_owner, exposure_max_fen, day_max_fen from partners.partners where partner_id = :partner_id;

-- name: lock_partner
select partner_id, name, roles, standing, service_url, key_owner, exposure_max_fen, day_max_fen from partners.partners
where partner_id = :partner_id for update;

-- name: contracts_of
select contract_id, partner_id, role, since, until, sha256 from partners.contracts where partner_id = :partner_id order by contract_id;

-- name: listed
select p.partner_id, p.name, p.service_url, p.exposure_max_fen, p.day_max_fen from partners.partners p
where p.partner_id = :partner_id and p.standing = 'listed' and :role::text = any (p.roles)
  and exists (select 1 from partners.contracts c where c.partner_id = p.partner_id and c.role = :role and c.since <= :today and :today < c.until);

-- name: listed_with
select p.partner_id, p.name, p.service_url, p.exposure_max_fen, p.day_max_fen from partners.partners p
where p.standing = 'listed' and :role::text = any (p.roles)
  and exists (select 1 from partners.contracts c where c.partner_id = p.partner_id and c.role = :role and c.since <= :today and :today < c.until)
order by p.partner_id;

-- name: listed_owners
select distinct p.key_owner from partners.partners p
where p.standing = 'listed' and p.key_owner <> ''
  and exists (select 1 from partners.contracts c where c.partner_id = p.partner_id and c.since <= :today and :today < c.until);

-- name: by_owner
select partner_id from partners.partners where key_owner = :key_owner order by partner_id;

-- name: set_standing
update partners.partners set standing = :standing where partner_id = :partner_id;

-- name: set_limits
update partners.partners set exposure_max_fen = :exposure_max_fen, day_max_fen = :day_max_fen where partner_id = :partner_id;

-- name: set_address
update partners.partners set service_url = :service_url where partner_id = :partner_id;

-- name: add_change
insert into partners.changes (partner_id, no, before, after, why, approval_id, at, actor)
select :partner_id, coalesce(max(no), 0) + 1, :before, :after, :why, :approval_id, :at, :actor from partners.changes where partner_id = :partner_id;

-- name: changes_of
select no, before, after, why, approval_id, at, actor from partners.changes where partner_id = :partner_id order by no;

-- name: add_key
insert into partners.keys (key_id, partner_id, alg, public_key, since, until) values (:key_id, :partner_id, :alg, :public_key, :since, null)
on conflict (key_id) do nothing;

-- name: find_key
select key_id, partner_id, alg, public_key, since, until from partners.keys where key_id = :key_id;

-- name: end_key
update partners.keys set until = :until where key_id = :key_id and until is null;

-- name: keys_of
select key_id, partner_id, alg, public_key, since, until from partners.keys where partner_id = :partner_id order by since, key_id;

-- name: public_rows
select p.partner_id, p.name, c.role, c.since, c.until from partners.partners p join partners.contracts c on c.partner_id = p.partner_id
where p.standing = 'listed' and c.role = any (p.roles) and c.since <= :today and :today < c.until
order by c.role, p.partner_id;

-- name: addresses
select partner_id, service_url, key_owner from partners.partners where partner_id = any (:partner_ids::text[]);

-- name: partners_page
select partner_id, name, roles, standing, key_owner, service_url, exposure_max_fen, day_max_fen from partners.partners
where (:role::text is null or :role = any (roles)) and (:standing::text is null or standing = :standing)
order by partner_id limit :most offset :skip;

-- name: partners_page_count
select count(*) from partners.partners where (:role::text is null or :role = any (roles)) and (:standing::text is null or standing = :standing);

-- name: keys_of_owners
-- Every key of the register with the name under which its partner signs.
select k.key_id, p.key_owner, k.alg, k.public_key, k.since, k.until from partners.keys k join partners.partners p using (partner_id)
where p.key_owner <> '' order by k.key_id;
