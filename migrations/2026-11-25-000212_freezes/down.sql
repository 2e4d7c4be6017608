DROP TABLE membership_freezes;
