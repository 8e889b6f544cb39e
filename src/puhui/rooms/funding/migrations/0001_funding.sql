create schema funding;

-- A funder's terms as it last told them, and the version it has announced since.
create table funding.terms (
    partner_id          text primary key,
    version             text not null,
    since               timestamptz not null,
    is_open             boolean not null,
    opens_at            timestamptz,
    closes_at           timestamptz,
    day_left_fen        bigint not null check (day_left_fen >= 0),
    total_left_fen      bigint not null check (total_left_fen >= 0),
    share_min_ppm       bigint not null check (share_min_ppm >= 0),
    share_max_ppm       bigint not null check (share_max_ppm between share_min_ppm and 1000000),
    rate_min_ppm        bigint not null,
    rate_max_ppm        bigint not null,
    terms_months        int[] not null,
    regions_allowed     text[] not null,
    age_min             int not null,
    age_max             int not null,
    bands               text[] not null,
    region_share_max_ppm bigint not null,
    band_share_max_ppm  bigint not null,
    announced_version   text not null,
    fetched_on          date not null
);

-- A reservation with a funder for one loan; the funder knows it under reservation_id.
create table funding.holds (
    customer_id    text not null,
    reservation_id text not null,
    loan_id        text not null,
    no             int not null check (no > 0),
    partner_id     text not null,
    terms_version  text not null,
    share_ppm      bigint not null check (share_ppm between 1 and 1000000),
    share_fen      bigint not null check (share_fen > 0),
    region         text not null,
    band           text not null,
    state          text not null check (state in ('asking', 'held', 'confirmed', 'used', 'released', 'refused', 'expired')),
    asked_at       timestamptz not null,
    expires_at     timestamptz,
    to_release     text check (to_release in ('cancelled', 'pay_failed', 'rerouted')),
    code           text,
    primary key (customer_id, reservation_id)
);
create unique index holds_loan on funding.holds (customer_id, loan_id, no);
create index holds_open on funding.holds (state, to_release) where state in ('asking', 'held', 'confirmed');

-- What was asked of the funders for a loan: kept so that the same can be asked again.
create table funding.wants (
    customer_id text not null,
    loan_id     text not null,
    amount_fen  bigint not null check (amount_fen > 0),
    rate_ppm    bigint not null,
    method      text not null,
    convention  text not null,
    months      int not null,
    region      text not null,
    age         int not null,
    band        text not null,
    is_joint    boolean not null,
    is_open     boolean not null,
    primary key (customer_id, loan_id)
);

-- Who really funds a loan, the lender first: fixed when it is paid out.
create table funding.legs (
    customer_id text not null,
    loan_id     text not null,
    leg_no      int not null,
    partner_id  text not null,
    share_ppm   bigint not null check (share_ppm between 0 and 1000000),
    share_fen   bigint not null check (share_fen >= 0),
    region      text not null,
    band        text not null,
    primary key (customer_id, loan_id, leg_no)
);
create index legs_partner on funding.legs (partner_id, loan_id);

-- What a partner has given through us by our count: in all, by region, by band, by day. Holds count at once; yesterday's closing figures
-- replace the sums every morning. The lender's own lines count what it has lent, in all and in joint loans, and are never lowered.
create table funding.books (
    partner_id text not null,
    part       text not null check (part in ('all', 'region', 'band', 'day', 'joint')),
    key        text not null,
    amount_fen bigint not null check (amount_fen >= 0),
    primary key (partner_id, part, key)
);

-- Files to and from the funders, by day.
create table funding.files (
    name          text primary key,
    partner_id    text not null,
    kind          text not null check (kind in ('loans', 'balances', 'mirror')),
    business_date date not null,
    sha256        text not null,
    row_count     int not null,
    state         text not null check (state in ('written', 'received', 'accepted', 'refused', 'compared')),
    why           text,
    at            timestamptz not null
);
create index files_day on funding.files (business_date, kind, partner_id);

-- Our own rows of a day as they were sent, to lay the mirror beside.
create table funding.balances (
    partner_id    text not null,
    business_date date not null,
    loan_id       text not null,
    principal_fen bigint not null,
    interest_fen  bigint not null,
    overdue_days  int not null,
    asset_class   text not null,
    primary key (partner_id, business_date, loan_id)
);

create table funding.breaks (
    partner_id    text not null,
    business_date date not null,
    loan_id       text not null,
    kind          text not null,
    ours          jsonb,
    theirs        jsonb,
    state         text not null default 'found' check (state in ('found', 'explained', 'corrected', 'closed')),
    found_at      timestamptz not null,
    explanation   text,
    explained_by  text,
    closed_at     timestamptz,
    primary key (partner_id, business_date, loan_id, kind)
);

-- What is owed to a funder for a day's repayments, and the order that pays it. What is below 0 is carried to the next day.
create table funding.settlements (
    partner_id       text not null,
    business_date    date not null,
    amount_fen       bigint not null,
    carried_fen      bigint not null check (carried_fen <= 0),
    payment_order_id text,
    state            text not null check (state in ('nothing', 'ordered', 'paid', 'failed')),
    primary key (partner_id, business_date)
);
