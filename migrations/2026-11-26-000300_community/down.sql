DROP TABLE measure_refunds, community_measures, community_acceptances, community_rules;
