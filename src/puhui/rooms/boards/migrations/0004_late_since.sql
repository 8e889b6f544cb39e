-- The due day that was missed: days late are counted from it, whatever day a list is read.
alter table boards.loans add column late_since date;
