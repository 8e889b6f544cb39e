-- Settlements are shown the newest day first.
create index settlements_newest on funding.settlements (business_date desc, partner_id);
create index files_partner on funding.files (partner_id, business_date desc);
