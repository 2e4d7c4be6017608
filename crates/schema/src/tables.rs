// Generated from the migrations; a test compares it with the database. Renew: UPDATE_GENERATED=1 make test

diesel::table! {
    account_levels (account_id) {
        account_id -> Uuid,
        level_id -> Nullable<Uuid>,
        since -> Nullable<Timestamptz>,
        judged_at -> Nullable<Timestamptz>,
        judged_by -> Nullable<Text>,
        due_at -> Nullable<Timestamptz>,
        in_grace -> Bool,
        warn_at -> Nullable<Timestamptz>,
        manual_level_id -> Nullable<Uuid>,
        manual_until -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    account_stages (account_id) {
        account_id -> Uuid,
        stage_id -> Nullable<Uuid>,
        since -> Timestamptz,
    }
}

diesel::table! {
    account_tags (account_id, tag) {
        account_id -> Uuid,
        tag -> Text,
    }
}

diesel::table! {
    account_tokens (hash) {
        hash -> Bytea,
        account_id -> Uuid,
        purpose -> Text,
        email -> Text,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
        used_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    accounts (id) {
        id -> Uuid,
        email -> Nullable<Text>,
        email_key -> Nullable<Text>,
        person_key -> Nullable<Text>,
        password_hash -> Nullable<Text>,
        name -> Nullable<Text>,
        locale -> Text,
        marketing -> Bool,
        roles -> Array<Text>,
        invite_code -> Nullable<Text>,
        stripe_customer_id -> Nullable<Text>,
        email_verified_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        erased_at -> Nullable<Timestamptz>,
        version -> Integer,
        is_guest -> Bool,
        birthday -> Nullable<Text>,
        birthday_set_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    addresses (id) {
        id -> Uuid,
        account_id -> Uuid,
        address -> Jsonb,
        is_default -> Bool,
        created_at -> Timestamptz,
        version -> Integer,
    }
}

diesel::table! {
    api_keys (id) {
        id -> Uuid,
        name -> Text,
        hash -> Bytea,
        roles -> Array<Text>,
        created_by -> Uuid,
        created_at -> Timestamptz,
        expires_at -> Nullable<Timestamptz>,
        revoked_at -> Nullable<Timestamptz>,
        merchant_id -> Nullable<Uuid>,
        outlet -> Nullable<Text>,
    }
}

diesel::table! {
    areas (id) {
        id -> Uuid,
        code -> Text,
        name_zh -> Text,
        name_en -> Text,
        parent_id -> Nullable<Uuid>,
        created_at -> Timestamptz,
        version -> Integer,
    }
}

diesel::table! {
    associate_seats (membership_id) {
        membership_id -> Uuid,
        capacity -> Integer,
        held -> Integer,
        taken -> Integer,
    }
}

diesel::table! {
    associates (id) {
        id -> Uuid,
        membership_id -> Uuid,
        head_id -> Uuid,
        term_id -> Uuid,
        account_id -> Nullable<Uuid>,
        state -> Text,
        email -> Nullable<Text>,
        email_key -> Nullable<Text>,
        token_hash -> Bytea,
        expires_at -> Timestamptz,
        created_at -> Timestamptz,
        accepted_at -> Nullable<Timestamptz>,
        ended_at -> Nullable<Timestamptz>,
        cause -> Nullable<Text>,
    }
}

diesel::table! {
    attempts (key) {
        key -> Text,
        window_started_at -> Timestamptz,
        count -> Integer,
    }
}

diesel::table! {
    audit_head (id) {
        id -> SmallInt,
        seq -> BigInt,
        hash -> Bytea,
    }
}

diesel::table! {
    audit_log (seq) {
        seq -> BigInt,
        at -> Timestamptz,
        actor_kind -> Text,
        actor_id -> Nullable<Uuid>,
        action -> Text,
        subject_kind -> Text,
        subject_id -> Text,
        reason -> Nullable<Text>,
        detail -> Jsonb,
        prev_hash -> Bytea,
        hash -> Bytea,
    }
}

diesel::table! {
    baskets (id) {
        id -> Uuid,
        account_id -> Nullable<Uuid>,
        secret_hash -> Nullable<Bytea>,
        lines -> Jsonb,
        version -> Integer,
        created_at -> Timestamptz,
        touched_at -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
        order_id -> Nullable<Uuid>,
        merged_into -> Nullable<Uuid>,
    }
}

diesel::table! {
    benefit_uses (id) {
        id -> Uuid,
        benefit_id -> Uuid,
        account_id -> Uuid,
        membership_id -> Nullable<Uuid>,
        person_key -> Text,
        is_once -> Bool,
        nth -> Integer,
        ordinal -> BigInt,
        allowed -> Nullable<BigInt>,
        order_id -> Nullable<Uuid>,
        line_id -> Nullable<Uuid>,
        coupon_id -> Nullable<Uuid>,
        worth_minor -> BigInt,
        note -> Nullable<Text>,
        created_at -> Timestamptz,
        released_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    benefits (id) {
        id -> Uuid,
        tier_id -> Nullable<Uuid>,
        kind -> Text,
        gives -> Text,
        name_zh -> Text,
        name_en -> Text,
        every -> Nullable<Text>,
        allowed -> Nullable<BigInt>,
        campaign_id -> Nullable<Uuid>,
        variant_id -> Nullable<Uuid>,
        value_minor -> Nullable<BigInt>,
        in_trial -> Bool,
        created_at -> Timestamptz,
        archived_at -> Nullable<Timestamptz>,
        version -> Integer,
        level_id -> Nullable<Uuid>,
    }
}

diesel::table! {
    bundle_parts (bundle_id, part_id) {
        bundle_id -> Uuid,
        part_id -> Uuid,
        quantity -> Integer,
    }
}

diesel::table! {
    card_charges (payment_id) {
        payment_id -> Uuid,
        stripe_payment_method_id -> Nullable<Text>,
        called_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    catalog_version (id) {
        id -> SmallInt,
        version -> BigInt,
    }
}

diesel::table! {
    chain_rights (id) {
        id -> Uuid,
        chain_id -> Uuid,
        account_id -> Uuid,
        packet_id -> Uuid,
        created_at -> Timestamptz,
        started_id -> Nullable<Uuid>,
        started_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    chains (id) {
        id -> Uuid,
        code -> Text,
        name_zh -> Text,
        name_en -> Text,
        audience -> Jsonb,
        starts_at -> Timestamptz,
        ends_at -> Timestamptz,
        amount_minor -> BigInt,
        parts -> Integer,
        split -> Text,
        packet_hours -> Integer,
        links_pool_id -> Uuid,
        budget_pool_id -> Uuid,
        created_at -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    channel_allocations (channel_id, variant_id) {
        channel_id -> Uuid,
        variant_id -> Uuid,
        pool_id -> Uuid,
    }
}

diesel::table! {
    channel_moves (move_id) {
        move_id -> Uuid,
        channel_id -> Uuid,
    }
}

diesel::table! {
    channel_sale_lines (sale_id, variant_id) {
        sale_id -> Uuid,
        variant_id -> Uuid,
        pool_id -> Uuid,
        quantity -> BigInt,
        amount_minor -> BigInt,
        currency -> Text,
    }
}

diesel::table! {
    channel_sales (id) {
        id -> Uuid,
        channel_id -> Uuid,
        reference -> Text,
        reverses -> Nullable<Uuid>,
        note -> Nullable<Text>,
        sold_at -> Timestamptz,
        reported_by -> Text,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    channels (id) {
        id -> Uuid,
        code -> Text,
        name_zh -> Text,
        name_en -> Text,
        is_own -> Bool,
        created_at -> Timestamptz,
        archived_at -> Nullable<Timestamptz>,
        version -> Integer,
    }
}

diesel::table! {
    chapter_choices (account_id) {
        account_id -> Uuid,
        chapter_id -> Uuid,
        chosen_at -> Timestamptz,
    }
}

diesel::table! {
    chapter_moves (id) {
        id -> Uuid,
        account_id -> Uuid,
        from_id -> Uuid,
        to_id -> Uuid,
        moved_at -> Timestamptz,
    }
}

diesel::table! {
    chapter_organisers (id) {
        id -> Uuid,
        chapter_id -> Uuid,
        account_id -> Uuid,
        state -> Text,
        motive -> Text,
        public_name -> Nullable<Text>,
        reason -> Nullable<Text>,
        decided_by -> Nullable<Uuid>,
        decided_at -> Nullable<Timestamptz>,
        ended_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        version -> Integer,
    }
}

diesel::table! {
    chapters (id) {
        id -> Uuid,
        code -> Text,
        name -> Text,
        prefix -> Text,
        next_sequence -> BigInt,
        is_default -> Bool,
        created_at -> Timestamptz,
        version -> Integer,
        area_id -> Nullable<Uuid>,
        archived_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    check_ins (account_id, day) {
        account_id -> Uuid,
        day -> Date,
        streak -> Integer,
        points -> BigInt,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    claim_codes (code) {
        code -> Text,
        kind -> Text,
    }
}

diesel::table! {
    claims (id) {
        id -> Uuid,
        pool_id -> Uuid,
        order_id -> Uuid,
        line_id -> Nullable<Uuid>,
        quantity -> BigInt,
        state -> Text,
        created_at -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    commissions (id) {
        id -> Uuid,
        partner_id -> Uuid,
        order_id -> Uuid,
        number -> Integer,
        kind -> Text,
        reason -> Nullable<Text>,
        basis_minor -> BigInt,
        rate_bp -> Integer,
        amount_minor -> BigInt,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    community_acceptances (account_id, version) {
        account_id -> Uuid,
        version -> Text,
        order_id -> Nullable<Uuid>,
        accepted_at -> Timestamptz,
    }
}

diesel::table! {
    community_measures (id) {
        id -> Uuid,
        account_id -> Uuid,
        membership_id -> Uuid,
        kind -> Text,
        version -> Text,
        rule -> Text,
        reason -> Text,
        money -> Nullable<Text>,
        back_minor -> Nullable<BigInt>,
        ends_at -> Nullable<Timestamptz>,
        state -> Text,
        taken_by -> Nullable<Uuid>,
        created_at -> Timestamptz,
        appeal_until -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
        appeal -> Nullable<Text>,
        appealed_at -> Nullable<Timestamptz>,
        appeal_state -> Nullable<Text>,
        decision -> Nullable<Text>,
        decided_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    community_rules (version) {
        version -> Text,
        text_zh -> Text,
        text_en -> Text,
        expulsion_money -> Text,
        published_at -> Timestamptz,
    }
}

diesel::table! {
    coupon_campaigns (id) {
        id -> Uuid,
        code -> Text,
        name_zh -> Text,
        name_en -> Text,
        class -> Text,
        benefit -> Jsonb,
        scope -> Jsonb,
        conditions -> Jsonb,
        combines_with -> Array<Text>,
        priority -> Integer,
        automatic -> Bool,
        per_person -> Nullable<Integer>,
        per_order -> Integer,
        per_day -> Nullable<Integer>,
        pool_id -> Nullable<Uuid>,
        budget_pool_id -> Nullable<Uuid>,
        starts_at -> Nullable<Timestamptz>,
        ends_at -> Nullable<Timestamptz>,
        valid_days -> Nullable<Integer>,
        created_at -> Timestamptz,
        paused_at -> Nullable<Timestamptz>,
        archived_at -> Nullable<Timestamptz>,
        version -> Integer,
        on_repeat_card -> Text,
    }
}

diesel::table! {
    coupon_days (campaign_id, day) {
        campaign_id -> Uuid,
        day -> Date,
        pool_id -> Uuid,
    }
}

diesel::table! {
    coupon_flags (use_id) {
        use_id -> Uuid,
        earlier -> Integer,
        is_refunded -> Bool,
        created_at -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
        outcome -> Nullable<Text>,
        reason -> Nullable<Text>,
    }
}

diesel::table! {
    coupon_issues (id) {
        id -> Uuid,
        campaign_id -> Uuid,
        quantity -> BigInt,
        made -> BigInt,
        prefix -> Text,
        length -> Integer,
        expires_at -> Nullable<Timestamptz>,
        created_by -> Text,
        created_at -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
        revoked_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    coupon_mailing_accounts (mailing_id, account_id) {
        mailing_id -> Uuid,
        account_id -> Uuid,
        coupon_id -> Uuid,
    }
}

diesel::table! {
    coupon_mailings (id) {
        id -> Uuid,
        campaign_id -> Uuid,
        segment_id -> Uuid,
        accounts -> BigInt,
        given -> BigInt,
        mailed -> BigInt,
        before -> Uuid,
        created_by -> Text,
        created_at -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    coupon_uses (id) {
        id -> Uuid,
        campaign_id -> Uuid,
        coupon_id -> Nullable<Uuid>,
        is_single -> Bool,
        order_id -> Uuid,
        account_id -> Uuid,
        person_key -> Text,
        day -> Date,
        discount_minor -> BigInt,
        shipping_minor -> BigInt,
        created_at -> Timestamptz,
        released_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    coupons (id) {
        id -> Uuid,
        campaign_id -> Uuid,
        code -> Text,
        label -> Nullable<Text>,
        is_shared -> Bool,
        account_id -> Nullable<Uuid>,
        issue_id -> Nullable<Uuid>,
        expires_at -> Nullable<Timestamptz>,
        revoked_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    credit_balances (account_id) {
        account_id -> Uuid,
        balance_minor -> BigInt,
        owed_minor -> BigInt,
    }
}

diesel::table! {
    credit_entries (id) {
        id -> Uuid,
        account_id -> Uuid,
        kind -> Text,
        cause -> Text,
        amount_minor -> BigInt,
        owed_minor -> BigInt,
        order_id -> Nullable<Uuid>,
        reason -> Nullable<Text>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    disputes (id) {
        id -> Uuid,
        stripe_dispute_id -> Text,
        payment_id -> Uuid,
        order_id -> Uuid,
        state -> Text,
        amount_minor -> BigInt,
        currency -> Text,
        reason -> Text,
        opened_at -> Timestamptz,
        closed_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    drive_applications (id) {
        id -> Uuid,
        drive_id -> Uuid,
        account_id -> Uuid,
        answers -> Jsonb,
        state -> Text,
        reason -> Nullable<Text>,
        decided_by -> Nullable<Uuid>,
        decided_at -> Nullable<Timestamptz>,
        buy_until -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        version -> Integer,
    }
}

diesel::table! {
    drive_invitations (id) {
        id -> Uuid,
        drive_id -> Uuid,
        code -> Text,
        email_key -> Nullable<Text>,
        pool_id -> Uuid,
        expires_at -> Nullable<Timestamptz>,
        revoked_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    drive_releases (drive_id, at) {
        drive_id -> Uuid,
        at -> Timestamptz,
        quantity -> BigInt,
    }
}

diesel::table! {
    drives (id) {
        id -> Uuid,
        code -> Text,
        series -> Text,
        name_zh -> Text,
        name_en -> Text,
        plan_id -> Uuid,
        pool_id -> Uuid,
        admission -> Text,
        opens_at -> Timestamptz,
        closes_at -> Timestamptz,
        buy_within_hours -> Integer,
        created_at -> Timestamptz,
        archived_at -> Nullable<Timestamptz>,
        version -> Integer,
    }
}

diesel::table! {
    drop_audiences (id) {
        id -> Uuid,
        drop_id -> Uuid,
        buyers -> Jsonb,
        opens_at -> Timestamptz,
        pool_id -> Nullable<Uuid>,
    }
}

diesel::table! {
    drop_boards (drop_id) {
        drop_id -> Uuid,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    drop_goals (drop_id) {
        drop_id -> Uuid,
        counts -> Text,
        goal -> BigInt,
        currency -> Text,
        pledged_units -> BigInt,
        pledged_minor -> BigInt,
        backers -> BigInt,
        outcome -> Nullable<Text>,
        decided_at -> Nullable<Timestamptz>,
        decided_units -> Nullable<BigInt>,
        decided_minor -> Nullable<BigInt>,
        decided_backers -> Nullable<BigInt>,
    }
}

diesel::table! {
    drop_items (drop_id, variant_id) {
        drop_id -> Uuid,
        variant_id -> Uuid,
        pool_id -> Uuid,
        price_minor -> Nullable<BigInt>,
        price_buyers -> Nullable<Jsonb>,
    }
}

diesel::table! {
    drop_milestones (drop_id, kind, amount) {
        drop_id -> Uuid,
        kind -> Text,
        amount -> BigInt,
        reached_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    drop_purchases (line_id) {
        line_id -> Uuid,
        drop_id -> Uuid,
        account_id -> Uuid,
        person_key -> Text,
        quantity -> BigInt,
        released_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    drop_sales (drop_id, order_id) {
        drop_id -> Uuid,
        order_id -> Uuid,
        units -> BigInt,
        revenue_minor -> BigInt,
        units_after -> BigInt,
        revenue_after_minor -> BigInt,
        sold_at -> Timestamptz,
    }
}

diesel::table! {
    drop_tallies (drop_id) {
        drop_id -> Uuid,
        units -> BigInt,
        orders -> BigInt,
        revenue_minor -> BigInt,
    }
}

diesel::table! {
    drops (id) {
        id -> Uuid,
        code -> Text,
        name_zh -> Text,
        name_en -> Text,
        opens_at -> Timestamptz,
        closes_at -> Timestamptz,
        cap_per_person -> Nullable<Integer>,
        created_at -> Timestamptz,
        archived_at -> Nullable<Timestamptz>,
        version -> Integer,
    }
}

diesel::table! {
    f_codes (id) {
        id -> Uuid,
        drop_id -> Uuid,
        variant_id -> Uuid,
        code -> Text,
        pool_id -> Uuid,
        email_key -> Nullable<Text>,
        expires_at -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        account_id -> Nullable<Uuid>,
        is_offer -> Bool,
    }
}

diesel::table! {
    game_plays (id) {
        id -> Uuid,
        game_id -> Uuid,
        number -> BigInt,
        account_id -> Uuid,
        person_key -> Text,
        day -> Date,
        nth_of_day -> Integer,
        nth -> Integer,
        drawn_id -> Uuid,
        prize_id -> Nullable<Uuid>,
        coupon_id -> Nullable<Uuid>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    game_prizes (id) {
        id -> Uuid,
        game_id -> Uuid,
        position -> Integer,
        name_zh -> Text,
        name_en -> Text,
        kind -> Text,
        campaign_id -> Nullable<Uuid>,
        amount_minor -> Nullable<BigInt>,
        weight -> BigInt,
        pool_id -> Nullable<Uuid>,
    }
}

diesel::table! {
    games (id) {
        id -> Uuid,
        code -> Text,
        name_zh -> Text,
        name_en -> Text,
        audience -> Jsonb,
        starts_at -> Timestamptz,
        ends_at -> Timestamptz,
        plays_a_day -> Integer,
        plays_in_all -> Integer,
        when_out -> Text,
        seed -> Bytea,
        plays -> BigInt,
        created_at -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    gift_cards (id) {
        id -> Uuid,
        line_id -> Nullable<Uuid>,
        account_id -> Nullable<Uuid>,
        amount_minor -> BigInt,
        currency -> Text,
        to_email -> Text,
        to_name -> Nullable<Text>,
        from_name -> Nullable<Text>,
        message -> Nullable<Text>,
        locale -> Text,
        deliver_at -> Timestamptz,
        expires_at -> Nullable<Timestamptz>,
        reason -> Nullable<Text>,
        created_at -> Timestamptz,
        activated_at -> Nullable<Timestamptz>,
        delivered_at -> Nullable<Timestamptz>,
        code_hash -> Nullable<Bytea>,
        code_end -> Nullable<Text>,
        redeemed_at -> Nullable<Timestamptz>,
        redeemed_by -> Nullable<Uuid>,
        held_at -> Nullable<Timestamptz>,
        voided_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    gifts (id) {
        id -> Uuid,
        line_id -> Uuid,
        account_id -> Uuid,
        plan_id -> Uuid,
        term -> Text,
        is_addressed -> Bool,
        to_email -> Text,
        to_name -> Nullable<Text>,
        from_name -> Nullable<Text>,
        message -> Nullable<Text>,
        locale -> Text,
        deliver_at -> Timestamptz,
        created_at -> Timestamptz,
        activated_at -> Nullable<Timestamptz>,
        delivered_at -> Nullable<Timestamptz>,
        code_hash -> Nullable<Bytea>,
        code_end -> Nullable<Text>,
        expires_at -> Nullable<Timestamptz>,
        redeemed_at -> Nullable<Timestamptz>,
        redeemed_by -> Nullable<Uuid>,
        term_id -> Nullable<Uuid>,
        held_at -> Nullable<Timestamptz>,
        voided_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    give_out_claims (id) {
        id -> Uuid,
        give_out_id -> Uuid,
        round_at -> Timestamptz,
        account_id -> Uuid,
        person_key -> Text,
        nth -> Integer,
        coupon_id -> Nullable<Uuid>,
        created_at -> Timestamptz,
        treat_code_id -> Nullable<Uuid>,
    }
}

diesel::table! {
    give_out_rounds (give_out_id, starts_at) {
        give_out_id -> Uuid,
        starts_at -> Timestamptz,
        pool_id -> Uuid,
    }
}

diesel::table! {
    give_outs (id) {
        id -> Uuid,
        code -> Text,
        campaign_id -> Nullable<Uuid>,
        audience -> Jsonb,
        starts_at -> Timestamptz,
        ends_at -> Timestamptz,
        every_minutes -> Nullable<Integer>,
        per_round -> BigInt,
        per_person -> Integer,
        created_at -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
        treat_id -> Nullable<Uuid>,
        points -> Nullable<BigInt>,
    }
}

diesel::table! {
    idempotency_keys (account_id, route, key) {
        account_id -> Uuid,
        route -> Text,
        key -> Text,
        body_hash -> Bytea,
        status -> SmallInt,
        resource -> Uuid,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    import_errors (import_id, line) {
        import_id -> Uuid,
        line -> Integer,
        column_name -> Text,
        code -> Text,
        message -> Text,
    }
}

diesel::table! {
    import_parts (import_id, number) {
        import_id -> Uuid,
        number -> Integer,
        rows -> Jsonb,
    }
}

diesel::table! {
    imports (id) {
        id -> Uuid,
        kind -> Text,
        state -> Text,
        is_dry_run -> Bool,
        header -> Array<Text>,
        lines -> Integer,
        lines_done -> Integer,
        lines_failed -> Integer,
        created -> Integer,
        changed -> Integer,
        actor_kind -> Text,
        actor_id -> Nullable<Uuid>,
        created_at -> Timestamptz,
        finished_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    instances (id) {
        id -> Uuid,
        seen_at -> Timestamptz,
    }
}

diesel::table! {
    invite_codes (code) {
        code -> Text,
        account_id -> Nullable<Uuid>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    invoice_counters (kind) {
        kind -> Text,
        year -> Integer,
        last -> BigInt,
    }
}

diesel::table! {
    invoices (id) {
        id -> Uuid,
        kind -> Text,
        number -> Text,
        year -> Integer,
        sequence -> BigInt,
        order_id -> Uuid,
        refund_id -> Nullable<Uuid>,
        about_id -> Nullable<Uuid>,
        currency -> Text,
        locale -> Text,
        total_minor -> BigInt,
        tax_minor -> BigInt,
        buyer -> Nullable<Jsonb>,
        content -> Jsonb,
        issued_at -> Timestamptz,
    }
}

diesel::table! {
    invoices_due (seq) {
        seq -> BigInt,
        kind -> Text,
        order_id -> Uuid,
        refund_id -> Nullable<Uuid>,
        due_at -> Timestamptz,
    }
}

diesel::table! {
    jobs (id) {
        id -> Uuid,
        lane -> Text,
        kind -> Text,
        payload -> Jsonb,
        state -> Text,
        run_at -> Timestamptz,
        attempts -> Integer,
        lease -> Nullable<Uuid>,
        leased_until -> Nullable<Timestamptz>,
        last_error -> Nullable<Text>,
        created_at -> Timestamptz,
        finished_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    level_changes (id) {
        id -> Uuid,
        account_id -> Uuid,
        kind -> Text,
        from_level_id -> Nullable<Uuid>,
        to_level_id -> Nullable<Uuid>,
        cause -> Text,
        why -> Jsonb,
        reason -> Nullable<Text>,
        judged_at -> Timestamptz,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    level_looks (id) {
        id -> Uuid,
        account_id -> Uuid,
        went_back -> Bool,
        at -> Timestamptz,
    }
}

diesel::table! {
    levels (id) {
        id -> Uuid,
        code -> Text,
        rank -> Integer,
        name_zh -> Text,
        name_en -> Text,
        enter -> Nullable<Jsonb>,
        keep -> Nullable<Jsonb>,
        review -> Text,
        warn_days -> Integer,
        grace_days -> Integer,
        drops -> Text,
        welcome_points -> BigInt,
        role -> Nullable<Text>,
        created_at -> Timestamptz,
        archived_at -> Nullable<Timestamptz>,
        version -> Integer,
    }
}

diesel::table! {
    line_coupons (line_id, use_id) {
        line_id -> Uuid,
        use_id -> Uuid,
        discount_minor -> BigInt,
    }
}

diesel::table! {
    line_offers (line_id, offer_id) {
        line_id -> Uuid,
        offer_id -> Uuid,
        quantity -> BigInt,
        discount_minor -> BigInt,
    }
}

diesel::table! {
    list_prices (id) {
        id -> Uuid,
        variant_id -> Uuid,
        price_minor -> BigInt,
        from_at -> Timestamptz,
    }
}

diesel::table! {
    loyalty_walks (id) {
        id -> Uuid,
        day -> Date,
        cursor -> Nullable<Uuid>,
        judged -> BigInt,
        raised -> BigInt,
        moved -> BigInt,
        started_at -> Timestamptz,
        finished_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    mail_opt_outs (account_id, list) {
        account_id -> Uuid,
        list -> Text,
        opted_out_at -> Timestamptz,
    }
}

diesel::table! {
    mail_suppressions (id) {
        id -> Uuid,
        email_key -> Text,
        reason -> Text,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    mails (id) {
        id -> Uuid,
        cause -> Text,
        account_id -> Nullable<Uuid>,
        to_address -> Text,
        kind -> Text,
        locale -> Text,
        data -> Jsonb,
        state -> Text,
        last_error -> Nullable<Text>,
        created_at -> Timestamptz,
        sent_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    measure_refunds (measure_id, line_id) {
        measure_id -> Uuid,
        line_id -> Uuid,
        amount_minor -> BigInt,
        refunded_minor -> BigInt,
    }
}

diesel::table! {
    member_numbers (number) {
        number -> Text,
        account_id -> Uuid,
        chapter_id -> Uuid,
        sequence -> BigInt,
        given_at -> Timestamptz,
    }
}

diesel::table! {
    membership_freezes (id) {
        id -> Uuid,
        membership_id -> Uuid,
        account_id -> Uuid,
        started_at -> Timestamptz,
        until -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    membership_terms (id) {
        id -> Uuid,
        membership_id -> Uuid,
        account_id -> Uuid,
        source -> Text,
        line_id -> Nullable<Uuid>,
        tier_id -> Uuid,
        plan_id -> Nullable<Uuid>,
        anchor_at -> Timestamptz,
        starts_at -> Timestamptz,
        ends_at -> Nullable<Timestamptz>,
        value_minor -> BigInt,
        value_from -> Timestamptz,
        value_seconds -> Nullable<BigInt>,
        ended_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        credited_minor -> BigInt,
        replaced_by -> Nullable<Uuid>,
    }
}

diesel::table! {
    memberships (id) {
        id -> Uuid,
        account_id -> Uuid,
        tier_id -> Uuid,
        plan_id -> Nullable<Uuid>,
        chapter_id -> Uuid,
        state -> Text,
        starts_at -> Timestamptz,
        ends_at -> Nullable<Timestamptz>,
        frozen_at -> Nullable<Timestamptz>,
        closed_at -> Nullable<Timestamptz>,
        version -> Integer,
        frozen_causes -> Array<Text>,
        rested_seconds -> BigInt,
    }
}

diesel::table! {
    merchants (id) {
        id -> Uuid,
        code -> Text,
        name_zh -> Text,
        name_en -> Text,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    notice_months (account_id, month) {
        account_id -> Uuid,
        month -> Text,
        taken -> Integer,
        cap -> Integer,
    }
}

diesel::table! {
    notice_recipients (notice_id, account_id) {
        notice_id -> Uuid,
        account_id -> Uuid,
        state -> Text,
        reason -> Nullable<Text>,
        month -> Nullable<Text>,
        decided_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    notices (id) {
        id -> Uuid,
        subject_zh -> Text,
        subject_en -> Text,
        body_zh -> Text,
        body_en -> Text,
        tier_id -> Nullable<Uuid>,
        chapter_id -> Nullable<Uuid>,
        segment_id -> Nullable<Uuid>,
        state -> Text,
        test_zh -> Nullable<Uuid>,
        test_en -> Nullable<Uuid>,
        tested_version -> Nullable<Integer>,
        send_at -> Nullable<Timestamptz>,
        before -> Uuid,
        collected_at -> Nullable<Timestamptz>,
        recipients -> BigInt,
        queued -> BigInt,
        skipped -> BigInt,
        cancelled -> BigInt,
        created_at -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
        version -> Integer,
    }
}

diesel::table! {
    number_prefixes (prefix) {
        prefix -> Text,
        chapter_id -> Nullable<Uuid>,
        series_id -> Nullable<Uuid>,
    }
}

diesel::table! {
    number_series (id) {
        id -> Uuid,
        code -> Text,
        name_zh -> Text,
        name_en -> Text,
        prefix -> Text,
        role -> Text,
        next_sequence -> BigInt,
        created_at -> Timestamptz,
        archived_at -> Nullable<Timestamptz>,
        version -> Integer,
    }
}

diesel::table! {
    occasion_grants (id) {
        id -> Uuid,
        occasion_id -> Uuid,
        account_id -> Uuid,
        person_key -> Text,
        cause -> Text,
        period -> Text,
        coupon_id -> Uuid,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    occasions (id) {
        id -> Uuid,
        event -> Text,
        nth -> Nullable<Integer>,
        campaign_id -> Uuid,
        pool_id -> Uuid,
        starts_at -> Timestamptz,
        ends_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    offers (id) {
        id -> Uuid,
        code -> Text,
        kind -> Text,
        name_zh -> Text,
        name_en -> Text,
        buyers -> Jsonb,
        buy_variant_id -> Uuid,
        buy_quantity -> Integer,
        get_variant_id -> Uuid,
        get_quantity -> Integer,
        most_per_order -> Nullable<Integer>,
        supplement_minor -> Nullable<BigInt>,
        starts_at -> Nullable<Timestamptz>,
        ends_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        archived_at -> Nullable<Timestamptz>,
        version -> Integer,
    }
}

diesel::table! {
    order_adoptions (order_id) {
        order_id -> Uuid,
        guest_id -> Uuid,
        account_id -> Uuid,
        adopted_at -> Timestamptz,
    }
}

diesel::table! {
    order_cancellations (order_id) {
        order_id -> Uuid,
        refund_id -> Nullable<Uuid>,
        cancelled_at -> Timestamptz,
    }
}

diesel::table! {
    order_lines (id) {
        id -> Uuid,
        order_id -> Uuid,
        position -> Integer,
        kind -> Text,
        plan_id -> Nullable<Uuid>,
        drive_id -> Nullable<Uuid>,
        invitation_id -> Nullable<Uuid>,
        title -> Text,
        quantity -> BigInt,
        unit_price_minor -> BigInt,
        discount_minor -> BigInt,
        total_minor -> BigInt,
        refunded_minor -> BigInt,
        fulfilled_at -> Nullable<Timestamptz>,
        variant_id -> Nullable<Uuid>,
        drop_id -> Nullable<Uuid>,
        f_code_id -> Nullable<Uuid>,
        tax_included_minor -> BigInt,
        shipped -> BigInt,
        returned -> BigInt,
        restocked_at -> Nullable<Timestamptz>,
        tax_rate_bp -> Integer,
        ships_from -> Nullable<Timestamptz>,
        upgrade_quote_id -> Nullable<Uuid>,
        renewal_id -> Nullable<Uuid>,
        benefit_id -> Nullable<Uuid>,
        saved_minor -> BigInt,
        points_minor -> BigInt,
        points_back_minor -> BigInt,
        points_rate_bp -> Integer,
        level_rate_bp -> Integer,
    }
}

diesel::table! {
    order_tokens (order_id) {
        order_id -> Uuid,
        hash -> Bytea,
    }
}

diesel::table! {
    orders (id) {
        id -> Uuid,
        number -> Text,
        account_id -> Uuid,
        state -> Text,
        currency -> Text,
        subtotal_minor -> BigInt,
        discount_minor -> BigInt,
        shipping_minor -> BigInt,
        tax_included_minor -> BigInt,
        total_minor -> BigInt,
        points_minor -> BigInt,
        credit_minor -> BigInt,
        due_minor -> BigInt,
        refunded_minor -> BigInt,
        explanation -> Jsonb,
        email -> Text,
        locale -> Text,
        invite_code -> Nullable<Text>,
        terms_version -> Nullable<Text>,
        consents -> Jsonb,
        success_url -> Text,
        cancel_url -> Text,
        hold_minutes -> Integer,
        has_membership -> Bool,
        created_at -> Timestamptz,
        paid_at -> Nullable<Timestamptz>,
        closed_at -> Nullable<Timestamptz>,
        ship_to -> Nullable<Jsonb>,
        shipping_method_id -> Nullable<Uuid>,
        points -> BigInt,
    }
}

diesel::table! {
    packet_parts (packet_id, position) {
        packet_id -> Uuid,
        position -> Integer,
        amount_minor -> BigInt,
        account_id -> Nullable<Uuid>,
        person_key -> Nullable<Text>,
        opened_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    packets (id) {
        id -> Uuid,
        code -> Text,
        account_id -> Nullable<Uuid>,
        chain_id -> Nullable<Uuid>,
        link -> Nullable<Integer>,
        parent_id -> Nullable<Uuid>,
        audience -> Jsonb,
        greeting -> Text,
        amount_minor -> BigInt,
        parts -> Integer,
        split -> Text,
        seed -> Bytea,
        pool_id -> Uuid,
        created_at -> Timestamptz,
        ends_at -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
        returned_minor -> Nullable<BigInt>,
    }
}

diesel::table! {
    partner_codes (id) {
        id -> Uuid,
        partner_id -> Uuid,
        code -> Text,
        label -> Text,
        name_zh -> Text,
        name_en -> Text,
        rate_bp -> Integer,
        starts_at -> Nullable<Timestamptz>,
        ends_at -> Nullable<Timestamptz>,
        pool_id -> Uuid,
        created_at -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    partner_orders (order_id) {
        order_id -> Uuid,
        code_id -> Uuid,
        created_at -> Timestamptz,
        payable_since -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    partner_payout_entries (entry_id) {
        entry_id -> Uuid,
        payout_id -> Uuid,
    }
}

diesel::table! {
    partner_payouts (id) {
        id -> Uuid,
        partner_id -> Uuid,
        amount_minor -> BigInt,
        entries -> Integer,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    partners (id) {
        id -> Uuid,
        name -> Text,
        email -> Text,
        account_id -> Nullable<Uuid>,
        version -> Integer,
        created_at -> Timestamptz,
        archived_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    payments (id) {
        id -> Uuid,
        order_id -> Uuid,
        attempt -> Integer,
        state -> Text,
        amount_minor -> BigInt,
        currency -> Text,
        methods -> Array<Text>,
        call_attempt -> Integer,
        session_expires_at -> Nullable<Timestamptz>,
        stripe_session_id -> Nullable<Text>,
        url -> Nullable<Text>,
        expires_at -> Nullable<Timestamptz>,
        stripe_payment_intent_id -> Nullable<Text>,
        stripe_charge_id -> Nullable<Text>,
        card_fingerprint -> Nullable<Text>,
        method_used -> Nullable<Text>,
        failure_code -> Nullable<Text>,
        captured_minor -> BigInt,
        captured_at -> Nullable<Timestamptz>,
        sent_back -> Bool,
        created_at -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
        checked_at -> Nullable<Timestamptz>,
        saves_card -> Bool,
        stripe_payment_method_id -> Nullable<Text>,
    }
}

diesel::table! {
    person_secret (is_only) {
        is_only -> Bool,
        secret -> Bytea,
    }
}

diesel::table! {
    pick_lists (id) {
        id -> Uuid,
        orders -> BigInt,
        created_by -> Text,
        created_at -> Timestamptz,
        released_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    plans (id) {
        id -> Uuid,
        code -> Text,
        tier_id -> Uuid,
        term -> Text,
        price_minor -> BigInt,
        currency -> Text,
        renews -> Text,
        payment_methods -> Array<Text>,
        hold_minutes -> Integer,
        open_sale -> Bool,
        created_at -> Timestamptz,
        archived_at -> Nullable<Timestamptz>,
        version -> Integer,
        open_upgrade -> Bool,
        associate_seats -> Integer,
        trial_days -> Integer,
    }
}

diesel::table! {
    pledges (line_id) {
        line_id -> Uuid,
        drop_id -> Uuid,
        account_id -> Uuid,
        units -> BigInt,
        minor -> BigInt,
        backer_name -> Nullable<Text>,
        concluded_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    points_balances (account_id) {
        account_id -> Uuid,
        pending -> BigInt,
        active -> BigInt,
        owed -> BigInt,
    }
}

diesel::table! {
    points_entries (id) {
        id -> Uuid,
        account_id -> Uuid,
        lot_id -> Nullable<Uuid>,
        kind -> Text,
        cause -> Text,
        pending -> BigInt,
        active -> BigInt,
        spent -> BigInt,
        expired -> BigInt,
        reversed -> BigInt,
        owed -> BigInt,
        level -> BigInt,
        order_id -> Nullable<Uuid>,
        reason -> Nullable<Text>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    points_lots (id) {
        id -> Uuid,
        account_id -> Uuid,
        kind -> Text,
        cause -> Text,
        order_id -> Nullable<Uuid>,
        points -> BigInt,
        level_points -> BigInt,
        pending -> BigInt,
        active -> BigInt,
        spent -> BigInt,
        expired -> BigInt,
        reversed -> BigInt,
        clawed_back -> BigInt,
        level_reversed -> BigInt,
        active_at -> Nullable<Timestamptz>,
        expires_at -> Nullable<Timestamptz>,
        warned_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    points_programme (id) {
        id -> Integer,
        is_on -> Bool,
        rate_bp -> Integer,
        level_rate_bp -> Integer,
        step_points -> Nullable<BigInt>,
        step_minor -> Nullable<BigInt>,
        least_points -> BigInt,
        most_share_bp -> Integer,
        lasts_months -> Nullable<Integer>,
        warn_days -> Integer,
        overdrawn -> Text,
        check_in_points -> BigInt,
        streaks -> Jsonb,
        version -> Integer,
    }
}

diesel::table! {
    points_rules (id) {
        id -> Uuid,
        code -> Text,
        scope -> Jsonb,
        audience -> Nullable<Jsonb>,
        rate_bp -> Nullable<Integer>,
        level_rate_bp -> Nullable<Integer>,
        starts_at -> Nullable<Timestamptz>,
        ends_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        archived_at -> Nullable<Timestamptz>,
        version -> Integer,
    }
}

diesel::table! {
    pools (id) {
        id -> Uuid,
        kind -> Text,
        capacity -> BigInt,
        held -> BigInt,
        taken -> BigInt,
    }
}

diesel::table! {
    portal_visits (id) {
        id -> Uuid,
        account_id -> Uuid,
        return_url -> Text,
        url -> Nullable<Text>,
        failure -> Nullable<Text>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    prices (id) {
        id -> Uuid,
        variant_id -> Uuid,
        buyers -> Jsonb,
        quantity_from -> Integer,
        price_minor -> BigInt,
        starts_at -> Nullable<Timestamptz>,
        ends_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        archived_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    product_reminders (id) {
        id -> Uuid,
        product_id -> Uuid,
        account_id -> Uuid,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    products (id) {
        id -> Uuid,
        slug -> Text,
        kind -> Text,
        name_zh -> Text,
        name_en -> Text,
        about_zh -> Text,
        about_en -> Text,
        images -> Array<Text>,
        category -> Nullable<Text>,
        tags -> Array<Text>,
        tax_rate_bp -> Integer,
        sees -> Jsonb,
        buys -> Jsonb,
        payment_methods -> Array<Text>,
        hold_minutes -> Integer,
        right_days -> Nullable<Integer>,
        shown_from -> Nullable<Timestamptz>,
        shown_until -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        archived_at -> Nullable<Timestamptz>,
        version -> Integer,
        search_terms -> Array<Text>,
        available_from -> Nullable<Timestamptz>,
        hides_price -> Bool,
        opens_for -> Nullable<Jsonb>,
    }
}

diesel::table! {
    referral_caps (pool_id) {
        pool_id -> Uuid,
        inviter_id -> Uuid,
        day -> Nullable<Date>,
    }
}

diesel::table! {
    referral_programme (id) {
        id -> Integer,
        is_on -> Bool,
        starts_at -> Nullable<Timestamptz>,
        ends_at -> Nullable<Timestamptz>,
        touch_days -> Integer,
        minimum_minor -> BigInt,
        inviter_reward -> Nullable<Jsonb>,
        friend_reward -> Nullable<Jsonb>,
        per_inviter_day -> Nullable<Integer>,
        per_inviter -> Nullable<Integer>,
        pool_id -> Uuid,
        budget_pool_id -> Uuid,
        version -> Integer,
    }
}

diesel::table! {
    referral_rewards (referral_id, side) {
        referral_id -> Uuid,
        side -> Text,
        kind -> Text,
        campaign_id -> Nullable<Uuid>,
        amount_minor -> Nullable<BigInt>,
        days -> Nullable<Integer>,
        state -> Text,
        coupon_id -> Nullable<Uuid>,
        term_id -> Nullable<Uuid>,
        given_at -> Nullable<Timestamptz>,
        points -> Nullable<BigInt>,
    }
}

diesel::table! {
    referrals (id) {
        id -> Uuid,
        inviter_id -> Uuid,
        friend_id -> Uuid,
        person_key -> Text,
        order_id -> Uuid,
        code -> Text,
        day -> Date,
        basis_minor -> BigInt,
        minimum_minor -> BigInt,
        budget_minor -> BigInt,
        state -> Text,
        reason -> Nullable<Text>,
        signals -> Array<Text>,
        released_at -> Nullable<Timestamptz>,
        address_hash -> Nullable<Text>,
        created_at -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    refresh_tokens (hash) {
        hash -> Bytea,
        session_id -> Uuid,
        salt -> Bytea,
        issued_at -> Timestamptz,
        expires_at -> Timestamptz,
        used_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    refund_lines (refund_id, line_id) {
        refund_id -> Uuid,
        line_id -> Uuid,
        amount_minor -> BigInt,
        restock -> Bool,
    }
}

diesel::table! {
    refunds (id) {
        id -> Uuid,
        order_id -> Uuid,
        payment_id -> Nullable<Uuid>,
        cause -> Text,
        amount_minor -> BigInt,
        currency -> Text,
        reason -> Text,
        state -> Text,
        call_attempt -> Integer,
        stripe_refund_id -> Nullable<Text>,
        failure_reason -> Nullable<Text>,
        created_at -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
        requested_by -> Text,
        shipping_minor -> BigInt,
        points -> Nullable<BigInt>,
    }
}

diesel::table! {
    related_products (product_id, related_id) {
        product_id -> Uuid,
        related_id -> Uuid,
        position -> Integer,
    }
}

diesel::table! {
    renewal_settings (membership_id) {
        membership_id -> Uuid,
        account_id -> Uuid,
        is_on -> Bool,
        switched_off_at -> Nullable<Timestamptz>,
        next_plan_id -> Nullable<Uuid>,
        cancelled_at -> Nullable<Timestamptz>,
        cancel_reason -> Nullable<Text>,
    }
}

diesel::table! {
    renewals (id) {
        id -> Uuid,
        membership_id -> Uuid,
        account_id -> Uuid,
        ends_at -> Timestamptz,
        plan_id -> Uuid,
        price_minor -> BigInt,
        currency -> Text,
        state -> Text,
        announced_at -> Nullable<Timestamptz>,
        noticed_at -> Nullable<Timestamptz>,
        reminded_days -> Nullable<Integer>,
        charges -> Integer,
        next_charge_at -> Nullable<Timestamptz>,
        failure -> Nullable<Text>,
        created_at -> Timestamptz,
        closed_at -> Nullable<Timestamptz>,
        told_minor -> Nullable<BigInt>,
    }
}

diesel::table! {
    return_lines (return_id, line_id) {
        return_id -> Uuid,
        line_id -> Uuid,
        quantity -> BigInt,
        restocked -> BigInt,
        written_off -> BigInt,
        refunded_minor -> BigInt,
    }
}

diesel::table! {
    returns (id) {
        id -> Uuid,
        order_id -> Uuid,
        state -> Text,
        reason -> Text,
        note -> Nullable<Text>,
        is_late -> Bool,
        answer -> Nullable<Text>,
        refund_id -> Nullable<Uuid>,
        requested_at -> Timestamptz,
        decided_at -> Nullable<Timestamptz>,
        received_at -> Nullable<Timestamptz>,
        ended_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    rights (id) {
        id -> Uuid,
        account_id -> Uuid,
        product_id -> Uuid,
        line_id -> Uuid,
        starts_at -> Timestamptz,
        ends_at -> Nullable<Timestamptz>,
        ended_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    schedules (name) {
        name -> Text,
        next_run_at -> Timestamptz,
    }
}

diesel::table! {
    segment_accounts (segment_id, account_id) {
        segment_id -> Uuid,
        kind -> Text,
        account_id -> Uuid,
    }
}

diesel::table! {
    segments (id) {
        id -> Uuid,
        code -> Text,
        name -> Text,
        kind -> Text,
        rule -> Nullable<Jsonb>,
        created_at -> Timestamptz,
        archived_at -> Nullable<Timestamptz>,
        version -> Integer,
    }
}

diesel::table! {
    series_numbers (number) {
        number -> Text,
        series_id -> Uuid,
        account_id -> Uuid,
        sequence -> BigInt,
        given_at -> Timestamptz,
    }
}

diesel::table! {
    series_places (id) {
        id -> Uuid,
        series -> Text,
        account_id -> Uuid,
        person_key -> Text,
        order_id -> Uuid,
        released_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    sessions (id) {
        id -> Uuid,
        account_id -> Uuid,
        user_agent -> Text,
        created_at -> Timestamptz,
        last_seen_at -> Timestamptz,
        expires_at -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
        ended_reason -> Nullable<Text>,
    }
}

diesel::table! {
    shipment_lines (shipment_id, line_id) {
        shipment_id -> Uuid,
        line_id -> Uuid,
        quantity -> BigInt,
    }
}

diesel::table! {
    shipments (id) {
        id -> Uuid,
        order_id -> Uuid,
        carrier -> Text,
        tracking_number -> Nullable<Text>,
        cause -> Text,
        shipped_at -> Timestamptz,
        delivered_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    shipping_methods (id) {
        id -> Uuid,
        code -> Text,
        name_zh -> Text,
        name_en -> Text,
        countries -> Array<Text>,
        fee_minor -> BigInt,
        fee_per_kg_minor -> BigInt,
        free_from_minor -> Nullable<BigInt>,
        free_for -> Nullable<Jsonb>,
        created_at -> Timestamptz,
        archived_at -> Nullable<Timestamptz>,
        version -> Integer,
    }
}

diesel::table! {
    shipping_promises (order_id) {
        order_id -> Uuid,
        ship_by -> Timestamptz,
        done_at -> Nullable<Timestamptz>,
        pick_list_id -> Nullable<Uuid>,
    }
}

diesel::table! {
    shop_clock (id) {
        id -> SmallInt,
        offset_micros -> BigInt,
    }
}

diesel::table! {
    signing_keys (kid) {
        kid -> Text,
        private_key -> Bytea,
        public_key -> Bytea,
        created_at -> Timestamptz,
        expires_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    stage_changes (id) {
        id -> Uuid,
        account_id -> Uuid,
        from_stage_id -> Nullable<Uuid>,
        to_stage_id -> Nullable<Uuid>,
        why -> Jsonb,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    stages (id) {
        id -> Uuid,
        code -> Text,
        rank -> Integer,
        name_zh -> Text,
        name_en -> Text,
        criteria -> Jsonb,
        created_at -> Timestamptz,
        archived_at -> Nullable<Timestamptz>,
        version -> Integer,
    }
}

diesel::table! {
    stock_moves (id) {
        id -> Uuid,
        variant_id -> Uuid,
        quantity -> BigInt,
        reason -> Text,
        note -> Nullable<Text>,
        cause -> Text,
        moved_by -> Text,
        moved_at -> Timestamptz,
    }
}

diesel::table! {
    stripe_events (id) {
        id -> Text,
        kind -> Text,
        payload -> Bytea,
        state -> Text,
        received_at -> Timestamptz,
        applied_at -> Nullable<Timestamptz>,
        payment_id -> Nullable<Uuid>,
    }
}

diesel::table! {
    terms_versions (version) {
        version -> Text,
        url -> Text,
        published_at -> Timestamptz,
    }
}

diesel::table! {
    tiers (id) {
        id -> Uuid,
        code -> Text,
        name_zh -> Text,
        name_en -> Text,
        rank -> Integer,
        created_at -> Timestamptz,
        archived_at -> Nullable<Timestamptz>,
        version -> Integer,
        associate_tier_id -> Nullable<Uuid>,
        floor_level_id -> Nullable<Uuid>,
    }
}

diesel::table! {
    treat_codes (id) {
        id -> Uuid,
        treat_id -> Uuid,
        merchant_id -> Uuid,
        code -> Text,
        account_id -> Nullable<Uuid>,
        person_key -> Nullable<Text>,
        claimed_at -> Nullable<Timestamptz>,
        wallet_id -> Nullable<Uuid>,
        expires_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        redeemed_at -> Nullable<Timestamptz>,
        outlet -> Nullable<Text>,
        redeemed_by -> Nullable<Uuid>,
    }
}

diesel::table! {
    treats (id) {
        id -> Uuid,
        code -> Text,
        merchant_id -> Uuid,
        kind -> Text,
        name_zh -> Text,
        name_en -> Text,
        terms_zh -> Text,
        terms_en -> Text,
        face_minor -> Nullable<BigInt>,
        valid_days -> Nullable<Integer>,
        ends_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    trials (id) {
        id -> Uuid,
        account_id -> Uuid,
        person_key -> Text,
        plan_id -> Uuid,
        days -> Integer,
        term_id -> Nullable<Uuid>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    upgrade_offer_tellings (offer_id, account_id) {
        offer_id -> Uuid,
        account_id -> Uuid,
        told_at -> Timestamptz,
    }
}

diesel::table! {
    upgrade_offer_uses (id) {
        id -> Uuid,
        offer_id -> Uuid,
        account_id -> Uuid,
        person_key -> Text,
        order_id -> Uuid,
        line_id -> Uuid,
        discount_minor -> BigInt,
        created_at -> Timestamptz,
        released_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    upgrade_offers (id) {
        id -> Uuid,
        code -> Text,
        name_zh -> Text,
        name_en -> Text,
        from_tier_id -> Nullable<Uuid>,
        plan_id -> Uuid,
        price_minor -> BigInt,
        criteria -> Jsonb,
        pool_id -> Uuid,
        budget_pool_id -> Uuid,
        starts_at -> Timestamptz,
        ends_at -> Timestamptz,
        mails -> Bool,
        walked_to -> Nullable<Uuid>,
        walked_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        archived_at -> Nullable<Timestamptz>,
        version -> Integer,
    }
}

diesel::table! {
    upgrade_quotes (id) {
        id -> Uuid,
        account_id -> Uuid,
        membership_id -> Uuid,
        membership_version -> Integer,
        plan_id -> Uuid,
        mode -> Text,
        credit_minor -> BigInt,
        charge_minor -> BigInt,
        due_minor -> BigInt,
        ends_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        valid_until -> Timestamptz,
        offer_id -> Nullable<Uuid>,
        discount_minor -> BigInt,
    }
}

diesel::table! {
    variants (id) {
        id -> Uuid,
        product_id -> Uuid,
        sku -> Text,
        position -> Integer,
        options -> Jsonb,
        price_minor -> BigInt,
        currency -> Text,
        weight_grams -> Integer,
        pool_id -> Nullable<Uuid>,
        open_sale -> Bool,
        max_per_order -> Integer,
        created_at -> Timestamptz,
        archived_at -> Nullable<Timestamptz>,
        version -> Integer,
        low_stock_at -> Nullable<BigInt>,
        low_stock_told_at -> Nullable<Timestamptz>,
        ships_from -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    waiting_entries (id) {
        id -> Uuid,
        drop_id -> Uuid,
        variant_id -> Uuid,
        account_id -> Uuid,
        person_key -> Text,
        place -> BigInt,
        state -> Text,
        f_code_id -> Nullable<Uuid>,
        joined_at -> Timestamptz,
        offered_at -> Nullable<Timestamptz>,
        ended_at -> Nullable<Timestamptz>,
        passed_over_for -> Nullable<Text>,
    }
}

diesel::table! {
    waiting_lines (drop_id, variant_id) {
        drop_id -> Uuid,
        variant_id -> Uuid,
        waiting -> BigInt,
        last_place -> BigInt,
    }
}

diesel::table! {
    withdrawals (id) {
        id -> Uuid,
        order_id -> Uuid,
        state -> Text,
        name -> Nullable<Text>,
        declared_at -> Timestamptz,
        counted_from -> Nullable<Timestamptz>,
        deadline_at -> Nullable<Timestamptz>,
        token_hash -> Bytea,
        ended_at -> Nullable<Timestamptz>,
        reason -> Nullable<Text>,
        refund_id -> Nullable<Uuid>,
    }
}

diesel::joinable!(account_levels -> accounts (account_id));
diesel::joinable!(account_stages -> accounts (account_id));
diesel::joinable!(account_stages -> stages (stage_id));
diesel::joinable!(account_tags -> accounts (account_id));
diesel::joinable!(account_tokens -> accounts (account_id));
diesel::joinable!(addresses -> accounts (account_id));
diesel::joinable!(api_keys -> accounts (created_by));
diesel::joinable!(api_keys -> merchants (merchant_id));
diesel::joinable!(associate_seats -> memberships (membership_id));
diesel::joinable!(associates -> associate_seats (membership_id));
diesel::joinable!(associates -> membership_terms (term_id));
diesel::joinable!(baskets -> accounts (account_id));
diesel::joinable!(baskets -> orders (order_id));
diesel::joinable!(benefit_uses -> accounts (account_id));
diesel::joinable!(benefit_uses -> benefits (benefit_id));
diesel::joinable!(benefit_uses -> coupons (coupon_id));
diesel::joinable!(benefit_uses -> memberships (membership_id));
diesel::joinable!(benefit_uses -> order_lines (line_id));
diesel::joinable!(benefit_uses -> orders (order_id));
diesel::joinable!(benefits -> coupon_campaigns (campaign_id));
diesel::joinable!(benefits -> levels (level_id));
diesel::joinable!(benefits -> tiers (tier_id));
diesel::joinable!(benefits -> variants (variant_id));
diesel::joinable!(card_charges -> payments (payment_id));
diesel::joinable!(chain_rights -> accounts (account_id));
diesel::joinable!(chain_rights -> chains (chain_id));
diesel::joinable!(chains -> claim_codes (code));
diesel::joinable!(channel_allocations -> channels (channel_id));
diesel::joinable!(channel_allocations -> pools (pool_id));
diesel::joinable!(channel_allocations -> variants (variant_id));
diesel::joinable!(channel_moves -> channels (channel_id));
diesel::joinable!(channel_moves -> stock_moves (move_id));
diesel::joinable!(channel_sale_lines -> channel_sales (sale_id));
diesel::joinable!(channel_sale_lines -> pools (pool_id));
diesel::joinable!(channel_sale_lines -> variants (variant_id));
diesel::joinable!(channel_sales -> channels (channel_id));
diesel::joinable!(chapter_choices -> accounts (account_id));
diesel::joinable!(chapter_choices -> chapters (chapter_id));
diesel::joinable!(chapter_moves -> accounts (account_id));
diesel::joinable!(chapter_organisers -> accounts (account_id));
diesel::joinable!(chapter_organisers -> chapters (chapter_id));
diesel::joinable!(chapters -> areas (area_id));
diesel::joinable!(check_ins -> accounts (account_id));
diesel::joinable!(claims -> order_lines (line_id));
diesel::joinable!(claims -> orders (order_id));
diesel::joinable!(claims -> pools (pool_id));
diesel::joinable!(commissions -> partner_orders (order_id));
diesel::joinable!(commissions -> partners (partner_id));
diesel::joinable!(community_acceptances -> accounts (account_id));
diesel::joinable!(community_acceptances -> community_rules (version));
diesel::joinable!(community_acceptances -> orders (order_id));
diesel::joinable!(community_measures -> accounts (account_id));
diesel::joinable!(community_measures -> community_rules (version));
diesel::joinable!(community_measures -> memberships (membership_id));
diesel::joinable!(coupon_days -> coupon_campaigns (campaign_id));
diesel::joinable!(coupon_days -> pools (pool_id));
diesel::joinable!(coupon_flags -> coupon_uses (use_id));
diesel::joinable!(coupon_issues -> coupon_campaigns (campaign_id));
diesel::joinable!(coupon_mailing_accounts -> accounts (account_id));
diesel::joinable!(coupon_mailing_accounts -> coupon_mailings (mailing_id));
diesel::joinable!(coupon_mailing_accounts -> coupons (coupon_id));
diesel::joinable!(coupon_mailings -> coupon_campaigns (campaign_id));
diesel::joinable!(coupon_mailings -> segments (segment_id));
diesel::joinable!(coupon_uses -> accounts (account_id));
diesel::joinable!(coupon_uses -> coupon_campaigns (campaign_id));
diesel::joinable!(coupon_uses -> coupons (coupon_id));
diesel::joinable!(coupon_uses -> orders (order_id));
diesel::joinable!(coupons -> accounts (account_id));
diesel::joinable!(coupons -> coupon_campaigns (campaign_id));
diesel::joinable!(credit_balances -> accounts (account_id));
diesel::joinable!(credit_entries -> accounts (account_id));
diesel::joinable!(credit_entries -> orders (order_id));
diesel::joinable!(disputes -> orders (order_id));
diesel::joinable!(disputes -> payments (payment_id));
diesel::joinable!(drive_applications -> accounts (account_id));
diesel::joinable!(drive_applications -> drives (drive_id));
diesel::joinable!(drive_invitations -> drives (drive_id));
diesel::joinable!(drive_invitations -> pools (pool_id));
diesel::joinable!(drive_releases -> drives (drive_id));
diesel::joinable!(drives -> plans (plan_id));
diesel::joinable!(drives -> pools (pool_id));
diesel::joinable!(drop_audiences -> drops (drop_id));
diesel::joinable!(drop_audiences -> pools (pool_id));
diesel::joinable!(drop_boards -> drops (drop_id));
diesel::joinable!(drop_goals -> drops (drop_id));
diesel::joinable!(drop_items -> drops (drop_id));
diesel::joinable!(drop_items -> pools (pool_id));
diesel::joinable!(drop_items -> variants (variant_id));
diesel::joinable!(drop_milestones -> drop_boards (drop_id));
diesel::joinable!(drop_purchases -> accounts (account_id));
diesel::joinable!(drop_purchases -> drops (drop_id));
diesel::joinable!(drop_purchases -> order_lines (line_id));
diesel::joinable!(drop_sales -> drops (drop_id));
diesel::joinable!(drop_sales -> orders (order_id));
diesel::joinable!(drop_tallies -> drops (drop_id));
diesel::joinable!(f_codes -> accounts (account_id));
diesel::joinable!(f_codes -> drops (drop_id));
diesel::joinable!(f_codes -> pools (pool_id));
diesel::joinable!(f_codes -> variants (variant_id));
diesel::joinable!(game_plays -> accounts (account_id));
diesel::joinable!(game_plays -> coupons (coupon_id));
diesel::joinable!(game_plays -> games (game_id));
diesel::joinable!(game_prizes -> coupon_campaigns (campaign_id));
diesel::joinable!(game_prizes -> games (game_id));
diesel::joinable!(game_prizes -> pools (pool_id));
diesel::joinable!(games -> claim_codes (code));
diesel::joinable!(gift_cards -> order_lines (line_id));
diesel::joinable!(gifts -> membership_terms (term_id));
diesel::joinable!(gifts -> order_lines (line_id));
diesel::joinable!(gifts -> plans (plan_id));
diesel::joinable!(give_out_claims -> accounts (account_id));
diesel::joinable!(give_out_claims -> coupons (coupon_id));
diesel::joinable!(give_out_claims -> give_outs (give_out_id));
diesel::joinable!(give_out_claims -> treat_codes (treat_code_id));
diesel::joinable!(give_out_rounds -> give_outs (give_out_id));
diesel::joinable!(give_out_rounds -> pools (pool_id));
diesel::joinable!(give_outs -> claim_codes (code));
diesel::joinable!(give_outs -> coupon_campaigns (campaign_id));
diesel::joinable!(give_outs -> treats (treat_id));
diesel::joinable!(idempotency_keys -> accounts (account_id));
diesel::joinable!(import_errors -> imports (import_id));
diesel::joinable!(import_parts -> imports (import_id));
diesel::joinable!(invite_codes -> accounts (account_id));
diesel::joinable!(invoices -> orders (order_id));
diesel::joinable!(invoices -> refunds (refund_id));
diesel::joinable!(invoices_due -> orders (order_id));
diesel::joinable!(invoices_due -> refunds (refund_id));
diesel::joinable!(level_changes -> accounts (account_id));
diesel::joinable!(level_looks -> accounts (account_id));
diesel::joinable!(line_coupons -> coupon_uses (use_id));
diesel::joinable!(line_coupons -> order_lines (line_id));
diesel::joinable!(line_offers -> offers (offer_id));
diesel::joinable!(line_offers -> order_lines (line_id));
diesel::joinable!(list_prices -> variants (variant_id));
diesel::joinable!(mail_opt_outs -> accounts (account_id));
diesel::joinable!(mails -> accounts (account_id));
diesel::joinable!(measure_refunds -> community_measures (measure_id));
diesel::joinable!(measure_refunds -> order_lines (line_id));
diesel::joinable!(member_numbers -> accounts (account_id));
diesel::joinable!(member_numbers -> chapters (chapter_id));
diesel::joinable!(membership_freezes -> accounts (account_id));
diesel::joinable!(membership_freezes -> memberships (membership_id));
diesel::joinable!(membership_terms -> accounts (account_id));
diesel::joinable!(membership_terms -> memberships (membership_id));
diesel::joinable!(membership_terms -> order_lines (line_id));
diesel::joinable!(membership_terms -> plans (plan_id));
diesel::joinable!(membership_terms -> tiers (tier_id));
diesel::joinable!(memberships -> accounts (account_id));
diesel::joinable!(memberships -> chapters (chapter_id));
diesel::joinable!(memberships -> plans (plan_id));
diesel::joinable!(memberships -> tiers (tier_id));
diesel::joinable!(notice_months -> accounts (account_id));
diesel::joinable!(notice_recipients -> accounts (account_id));
diesel::joinable!(notice_recipients -> notices (notice_id));
diesel::joinable!(notices -> chapters (chapter_id));
diesel::joinable!(notices -> segments (segment_id));
diesel::joinable!(notices -> tiers (tier_id));
diesel::joinable!(occasion_grants -> accounts (account_id));
diesel::joinable!(occasion_grants -> coupons (coupon_id));
diesel::joinable!(occasion_grants -> occasions (occasion_id));
diesel::joinable!(occasions -> coupon_campaigns (campaign_id));
diesel::joinable!(occasions -> pools (pool_id));
diesel::joinable!(order_adoptions -> orders (order_id));
diesel::joinable!(order_cancellations -> orders (order_id));
diesel::joinable!(order_cancellations -> refunds (refund_id));
diesel::joinable!(order_lines -> benefits (benefit_id));
diesel::joinable!(order_lines -> drive_invitations (invitation_id));
diesel::joinable!(order_lines -> drives (drive_id));
diesel::joinable!(order_lines -> drops (drop_id));
diesel::joinable!(order_lines -> f_codes (f_code_id));
diesel::joinable!(order_lines -> orders (order_id));
diesel::joinable!(order_lines -> plans (plan_id));
diesel::joinable!(order_lines -> renewals (renewal_id));
diesel::joinable!(order_lines -> upgrade_quotes (upgrade_quote_id));
diesel::joinable!(order_lines -> variants (variant_id));
diesel::joinable!(order_tokens -> orders (order_id));
diesel::joinable!(orders -> accounts (account_id));
diesel::joinable!(orders -> shipping_methods (shipping_method_id));
diesel::joinable!(orders -> terms_versions (terms_version));
diesel::joinable!(packet_parts -> accounts (account_id));
diesel::joinable!(packet_parts -> packets (packet_id));
diesel::joinable!(packets -> accounts (account_id));
diesel::joinable!(packets -> chains (chain_id));
diesel::joinable!(packets -> claim_codes (code));
diesel::joinable!(packets -> pools (pool_id));
diesel::joinable!(partner_codes -> invite_codes (code));
diesel::joinable!(partner_codes -> partners (partner_id));
diesel::joinable!(partner_codes -> pools (pool_id));
diesel::joinable!(partner_orders -> orders (order_id));
diesel::joinable!(partner_orders -> partner_codes (code_id));
diesel::joinable!(partner_payout_entries -> commissions (entry_id));
diesel::joinable!(partner_payout_entries -> partner_payouts (payout_id));
diesel::joinable!(partner_payouts -> partners (partner_id));
diesel::joinable!(partners -> accounts (account_id));
diesel::joinable!(payments -> orders (order_id));
diesel::joinable!(plans -> tiers (tier_id));
diesel::joinable!(pledges -> accounts (account_id));
diesel::joinable!(pledges -> drop_goals (drop_id));
diesel::joinable!(pledges -> order_lines (line_id));
diesel::joinable!(points_balances -> accounts (account_id));
diesel::joinable!(points_entries -> accounts (account_id));
diesel::joinable!(points_entries -> orders (order_id));
diesel::joinable!(points_entries -> points_lots (lot_id));
diesel::joinable!(points_lots -> accounts (account_id));
diesel::joinable!(points_lots -> orders (order_id));
diesel::joinable!(portal_visits -> accounts (account_id));
diesel::joinable!(prices -> variants (variant_id));
diesel::joinable!(product_reminders -> accounts (account_id));
diesel::joinable!(product_reminders -> products (product_id));
diesel::joinable!(referral_caps -> accounts (inviter_id));
diesel::joinable!(referral_caps -> pools (pool_id));
diesel::joinable!(referral_rewards -> coupon_campaigns (campaign_id));
diesel::joinable!(referral_rewards -> coupons (coupon_id));
diesel::joinable!(referral_rewards -> membership_terms (term_id));
diesel::joinable!(referral_rewards -> referrals (referral_id));
diesel::joinable!(referrals -> orders (order_id));
diesel::joinable!(refresh_tokens -> sessions (session_id));
diesel::joinable!(refund_lines -> order_lines (line_id));
diesel::joinable!(refund_lines -> refunds (refund_id));
diesel::joinable!(refunds -> orders (order_id));
diesel::joinable!(refunds -> payments (payment_id));
diesel::joinable!(renewal_settings -> accounts (account_id));
diesel::joinable!(renewal_settings -> memberships (membership_id));
diesel::joinable!(renewal_settings -> plans (next_plan_id));
diesel::joinable!(renewals -> accounts (account_id));
diesel::joinable!(renewals -> memberships (membership_id));
diesel::joinable!(renewals -> plans (plan_id));
diesel::joinable!(return_lines -> order_lines (line_id));
diesel::joinable!(return_lines -> returns (return_id));
diesel::joinable!(returns -> orders (order_id));
diesel::joinable!(returns -> refunds (refund_id));
diesel::joinable!(rights -> accounts (account_id));
diesel::joinable!(rights -> order_lines (line_id));
diesel::joinable!(rights -> products (product_id));
diesel::joinable!(segment_accounts -> accounts (account_id));
diesel::joinable!(series_numbers -> accounts (account_id));
diesel::joinable!(series_numbers -> number_series (series_id));
diesel::joinable!(series_places -> accounts (account_id));
diesel::joinable!(series_places -> orders (order_id));
diesel::joinable!(sessions -> accounts (account_id));
diesel::joinable!(shipment_lines -> order_lines (line_id));
diesel::joinable!(shipment_lines -> shipments (shipment_id));
diesel::joinable!(shipments -> orders (order_id));
diesel::joinable!(shipping_promises -> orders (order_id));
diesel::joinable!(shipping_promises -> pick_lists (pick_list_id));
diesel::joinable!(stage_changes -> accounts (account_id));
diesel::joinable!(stock_moves -> variants (variant_id));
diesel::joinable!(stripe_events -> payments (payment_id));
diesel::joinable!(tiers -> levels (floor_level_id));
diesel::joinable!(treat_codes -> accounts (account_id));
diesel::joinable!(treat_codes -> api_keys (redeemed_by));
diesel::joinable!(treat_codes -> merchants (merchant_id));
diesel::joinable!(treat_codes -> treats (treat_id));
diesel::joinable!(treats -> merchants (merchant_id));
diesel::joinable!(trials -> accounts (account_id));
diesel::joinable!(trials -> membership_terms (term_id));
diesel::joinable!(trials -> plans (plan_id));
diesel::joinable!(upgrade_offer_tellings -> accounts (account_id));
diesel::joinable!(upgrade_offer_tellings -> upgrade_offers (offer_id));
diesel::joinable!(upgrade_offer_uses -> accounts (account_id));
diesel::joinable!(upgrade_offer_uses -> order_lines (line_id));
diesel::joinable!(upgrade_offer_uses -> orders (order_id));
diesel::joinable!(upgrade_offer_uses -> upgrade_offers (offer_id));
diesel::joinable!(upgrade_offers -> plans (plan_id));
diesel::joinable!(upgrade_offers -> tiers (from_tier_id));
diesel::joinable!(upgrade_quotes -> accounts (account_id));
diesel::joinable!(upgrade_quotes -> memberships (membership_id));
diesel::joinable!(upgrade_quotes -> plans (plan_id));
diesel::joinable!(upgrade_quotes -> upgrade_offers (offer_id));
diesel::joinable!(variants -> pools (pool_id));
diesel::joinable!(variants -> products (product_id));
diesel::joinable!(waiting_entries -> accounts (account_id));
diesel::joinable!(waiting_entries -> drops (drop_id));
diesel::joinable!(waiting_entries -> f_codes (f_code_id));
diesel::joinable!(waiting_entries -> variants (variant_id));
diesel::joinable!(withdrawals -> orders (order_id));
diesel::joinable!(withdrawals -> refunds (refund_id));
