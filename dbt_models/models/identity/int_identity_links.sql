{{ identity_links(
    '(select edges.left_key, edges.right_key, rules.strength from ' ~ ref('int_identity_edges_judged') ~ ' as edges join ' ~ ref('identity_rules')
    ~ ' as rules on edges.rule = rules.rule where edges.dropped_reason is null) as edges',
    manual_pairs('never', ref('identity_manual_pairs'), ref('int_identifiers'))
) }}
