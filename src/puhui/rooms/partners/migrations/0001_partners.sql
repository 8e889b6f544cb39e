create schema partners;

create table partners.partners (
    partner_id       text primary key,
    name             text not null,
    roles            text[] not null check (roles <@ array['asset', 'funding', 'enhancement', 'marketing', 'merchant', 'outsourcer']),
    standing         text not null check (standing in ('candidate', 'due_diligence', 'listed', 'suspended', 'exited')),
    service_url      text not null,
    key_owner        text not null,
    exposure_max_fen bigint not null check (exposure_max_fen >= 0),
    day_max_fen      bigint not null check (day_max_fen >= 0),
    is_development   boolean not null
);
create index partners_key_owner on partners.partners (key_owner);

create table partners.contracts (
    contract_id text primary key,
    partner_id  text not null references partners.partners (partner_id),
    role        text not null,
    since       date not null,
    until       date not null check (until > since),
    sha256      text not null
);
create index contracts_partner on partners.contracts (partner_id);

create table partners.keys (
    key_id     text primary key,
    partner_id text not null references partners.partners (partner_id),
    alg        text not null check (alg in ('ed25519', 'rsa-sha256')),
    public_key bytea not null,
    since      timestamptz not null,
    until      timestamptz check (until > since)
);
create index keys_partner on partners.keys (partner_id);

-- What became of a partner, line by line; nothing here is edited.
create table partners.changes (
    partner_id  text not null references partners.partners (partner_id),
    no          int not null,
    before      text not null,
    after       text not null,
    why         text not null,
    approval_id text,
    at          timestamptz not null,
    actor       text not null,
    primary key (partner_id, no)
);
