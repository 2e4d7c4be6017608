DROP TABLE line_offers, offers;
