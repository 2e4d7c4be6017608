DROP TABLE coupon_mailing_accounts, coupon_mailings;
