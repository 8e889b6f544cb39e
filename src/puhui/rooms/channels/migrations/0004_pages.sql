-- The delivery log shows the newest event first, of all partners or of one.
create index told_newest on channels.told (at desc, event_id);
create index told_partner on channels.told (partner_id, at desc);
