-- An application knows whether it came to money, so that what is counted of applications needs no other table.
alter table boards.applications add column loan_id text;
alter table boards.applications add column paid_at timestamptz;
alter table boards.applications add column paid_fen bigint not null default 0;
alter table boards.applications add column returned_at timestamptz;
alter table boards.applications add column settled_on date;
update boards.applications a set loan_id = l.loan_id, paid_at = l.paid_at, paid_fen = l.amount_fen
from boards.loans l where l.customer_id = a.customer_id and l.application_id = a.application_id and l.paid_at is not null;
create index applications_paid on boards.applications (paid_at desc, application_id) where paid_at is not null;
create index applications_newest on boards.applications (tapped_at desc, application_id) where tapped_at is not null;
