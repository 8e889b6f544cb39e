create schema customers;

-- A person the lender knows, or a newcomer who has only shown a phone. `merged_into` names the person a newcomer turned out to be.
create table customers.customers (
    customer_id       text primary key,
    session_id        text not null,
    entry_id          text not null,
    registered_at     timestamptz not null,
    state             text not null default 'open' check (state in ('open', 'closing', 'closed')),
    closed_at         timestamptz,
    merged_into       text,
    frozen_because    text,
    frozen_at         timestamptz,
    contact_closed    text not null default '',
    phone_sealed      bytea,
    phone_blind       bytea,
    phone_since       timestamptz,
    living_place_code text,
    living_place_kind text,
    is_thin_file      boolean,
    thin_file_at      timestamptz,
    check ((frozen_because is null) = (frozen_at is null)),
    check (state <> 'closed' or closed_at is not null)
);
create index customers_phone on customers.customers (phone_blind) where state <> 'closed';

-- One person per id number: the blind index is unique.
create table customers.identities (
    customer_id        text primary key,
    name_sealed        bytea not null,
    id_number_sealed   bytea not null,
    id_blind           bytea not null unique,
    tail_blind         bytea not null,
    home_place_code    text not null,
    address_code       text not null,
    issuer             text not null,
    expires_on         date not null,
    id_check_id        text not null,
    face_check_id      text not null,
    live_ppm           bigint not null check (live_ppm between 0 and 1000000),
    same_ppm           bigint not null check (same_ppm between 0 and 1000000),
    is_simulated       boolean not null,
    is_blocked         boolean not null,
    four_factor_ok     boolean not null default false,
    checked_at         timestamptz not null
);

-- Questions to the checks service, written before they are asked, so that a repeat asks the very same thing.
create table customers.checks (
    customer_id  text not null,
    check_id     text not null,
    kind         text not null check (kind in ('id-card', 'face', 'aml', 'four-factor')),
    k            int not null check (k >= 1),
    digest       bytea not null,
    consent_id   text not null,
    as_of        timestamptz not null,
    answered_at  timestamptz,
    result_sealed bytea,
    primary key (customer_id, check_id),
    unique (customer_id, kind, k)
);

create table customers.screenings (
    customer_id   text not null,
    check_id      text not null,
    at            timestamptz not null,
    lists_version text not null,
    verdict       text not null check (verdict in ('clear', 'noted', 'blocked')),
    hits          jsonb not null,
    recheck_on    date not null,
    is_simulated  boolean not null,
    primary key (customer_id, check_id)
);

create table customers.consents (
    customer_id  text not null,
    consent_id   text not null,
    item         text not null,
    purpose      text not null,
    recipient    text not null,
    wording      text not null,
    session_id   text not null,
    given_at     timestamptz not null,
    until        timestamptz not null check (until > given_at),
    withdrawn_at timestamptz check (withdrawn_at >= given_at),
    sha256       text not null,
    primary key (customer_id, consent_id)
);
create index consents_item on customers.consents (customer_id, item, given_at desc);

-- A card is kept as the rail's token, its last four and a blind index; its number is nowhere.
create table customers.bindings (
    customer_id  text not null,
    binding_id   text not null,
    k            int not null check (k >= 1),
    state        text not null check (state in ('asked', 'active', 'replaced', 'refused')),
    digest       bytea not null,
    card_blind   bytea not null,
    phone_sealed bytea not null,
    account      text,
    bank_code    text,
    tail         text,
    asked_at     timestamptz not null,
    ended_at     timestamptz,
    code         text,
    primary key (customer_id, binding_id),
    unique (customer_id, k),
    check (state not in ('active', 'replaced') or account is not null)
);
create unique index bindings_active on customers.bindings (customer_id) where state = 'active';

create table customers.devices (
    customer_id text not null,
    device_id   text not null,
    first_seen  timestamptz not null,
    last_seen   timestamptz not null,
    primary key (customer_id, device_id)
);
create index devices_device on customers.devices (device_id);

-- Uploaded pictures, encoded anew, encrypted under a key of the owner's own (`owner` is the session until the person is known).
create table customers.file_keys (
    owner      text primary key,
    key_sealed bytea not null
);
create table customers.files (
    owner      text not null,
    file_ref   text not null,
    sha256     text not null,
    media_type text not null,
    kind       text not null default '' check (kind in ('', 'face', 'id_card', 'proof')),
    sealed     bytea,
    at         timestamptz not null,
    delete_at  timestamptz,
    deleted_at timestamptz,
    primary key (owner, file_ref)
);
create index files_to_delete on customers.files (delete_at) where deleted_at is null and delete_at is not null;

create table customers.cases (
    customer_id text not null,
    case_id     text not null,
    kind        text not null,
    k           int not null check (k >= 1),
    subject     text not null,
    text_sealed bytea not null,
    proof_ref   text not null default '',
    state       text not null check (state in ('opened', 'investigated', 'answered', 'mediated', 'closed')),
    opened_at   timestamptz not null,
    due         date not null,
    packs       jsonb not null,
    answered_at timestamptz,
    answered_by text not null default '',
    outcome     text not null default '',
    answer_sealed bytea,
    closed_at   timestamptz,
    primary key (customer_id, case_id),
    unique (customer_id, kind, k),
    check ((answered_at is null) = (state in ('opened', 'investigated')))
);
create index cases_waiting on customers.cases (due) where answered_at is null;

-- The person's own copy of his data: to that person alone, once, within a day.
create table customers.copies (
    customer_id   text not null,
    sha256        text not null,
    sealed        bytea,
    made_at       timestamptz not null,
    expires_at    timestamptz not null,
    downloaded_at timestamptz,
    primary key (customer_id, sha256)
);
