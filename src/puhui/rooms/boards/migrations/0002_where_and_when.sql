-- Where applicants live (by kind, tier, county), and when a loan first was 31 and 91 days late: for the inclusion board and the vintage curves.
alter table boards.applications add column place_kind text not null default '';
alter table boards.applications add column tier int not null default 0;
alter table boards.applications add column county text not null default '';
alter table boards.loans add column late_31_on date;
alter table boards.loans add column late_91_on date;
alter table boards.loans add column is_restructured boolean not null default false;
alter table boards.days add column frozen bigint not null default 0;
create index loans_paid on boards.loans (paid_at desc, loan_id) where paid_at is not null;
create index loans_stage on boards.loans (stage) where stage is not null;
create index shares_partner on boards.shares (partner_id, loan_id);
create index applications_loan on boards.loans (customer_id, application_id);
create index applications_id on boards.applications (application_id);
