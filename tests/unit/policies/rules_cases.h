/* The cases of test_rules.c. */

/* right */
{"", ""}, {RULE("'deny': true"), ""},
    {RULE("'description': 'x', 'budget': {'requests': 10000, 'seconds': 2678400, 'each': 'gate', 'until': "
          "'reset', 'description': 'y'}"),
     ""},
    {RULE("'require': {'approval': {'people': 10, 'seconds': 604800}}"), ""},
    {WHEN("{'at': '/body/data/attributes/profile_name', 'matches': 'x', 'description': 'y'}"), ""},
    {DURING("{'days': ['mon'], 'from': '00:00', 'to': '24:00', 'after': '2026-01-01T00:00:00Z', 'before': "
            "'2026-01-01T00:00:01Z', 'description': 'x'}"),
     ""},

    /* what a rule is */
    {"1", "d:2:11: error: must be an object (/rules/0)\n"},
    {"{}", "d:2:11: error: lacks \"id\": a name that clients and the logs are told (/rules/0)\n"
           "d:2:11: error: lacks \"reason\": what a client that meets the rule is told (/rules/0)\n"
           "d:2:11: error: needs one of deny, require and budget, and not more (/rules/0)\n"},
    {"{'id': 'A', 'reason': '', 'deny': true}",
     "d:2:12: error: must be of lower-case letters, digits and hyphens, not begin with a hyphen, and be 64 "
     "long at most (/rules/0/id)\n"
     "d:2:23: error: must be 1 to 500 characters, with no control character among them (/rules/0/reason)\n"},
    {"{'id': '-a', 'reason': 'a\\u0007', 'deny': true}",
     "d:2:12: error: must be of lower-case letters, digits and hyphens, not begin with a hyphen, and be 64 "
     "long at most (/rules/0/id)\n"
     "d:2:24: error: must be 1 to 500 characters, with no control character among them (/rules/0/reason)\n"},
    {"{'id': 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'reason': 'a\\u0085', "
     "'deny': true}",
     "d:2:12: error: must be of lower-case letters, digits and hyphens, not begin with a hyphen, and be 64 "
     "long at most (/rules/0/id)\n"
     "d:2:87: error: must be 1 to 500 characters, with no control character among them (/rules/0/reason)\n"},
    {RULE("'deny': true") ", " RULE("'deny': true"),
     "d:2:54: error: is the id of /rules/0 already (/rules/1/id)\n"},
    {RULE("'deny': true, 'unles': []"),
     "d:2:52: error: unknown member \"unles\"; did you mean \"unless\"? (/rules/0/unles)\n"},

    /* effects */
    {RULE("'deny': false"),
     "d:2:38: error: must be true; without it there is no such rule (/rules/0/deny)\n"},
    {RULE("'deny': true, 'budget': {'requests': 1, 'seconds': 1, 'each': 'gate'}"),
     "d:2:11: error: needs one of deny, require and budget, and not more (/rules/0)\n"},
    {RULE("'require': {}"),
     "d:2:38: error: needs one of approval, reason and break_glass, and not more (/rules/0/require)\n"},
    {RULE("'require': {'reason': '(', 'brake_glass': true}"),
     "d:2:65: error: unknown member \"brake_glass\"; did you mean \"break_glass\"? "
     "(/rules/0/require/brake_glass)\n"
     "d:2:50: error: the pattern does not compile: missing closing parenthesis at offset 1 of the pattern "
     "(/rules/0/require/reason)\n"},
    {RULE("'require': {'break_glass': 1}"),
     "d:2:50: error: must be true; without it there is no such rule (/rules/0/require/break_glass)\n"},
    {RULE("'require': {'approval': {'people': 11, 'seconds': 59}}"),
     "d:2:63: error: must be a whole number from 1 to 10 (/rules/0/require/approval/people)\n"
     "d:2:77: error: must be a whole number from 60 to 604800 (/rules/0/require/approval/seconds)\n"},
    {RULE("'require': {'approval': {'people': 1}, 'reason': 'x'}"),
     "d:2:38: error: needs one of approval, reason and break_glass, and not more (/rules/0/require)\n"},
    {RULE("'budget': {'requests': 0, 'seconds': 2678401, 'each': 'organisation', 'until': 'rest'}"),
     "d:2:108: error: is no word that can stand here; it can be \"reset\" (/rules/0/budget/until)\n"
     "d:2:49: error: must be a whole number from 1 to 10000 (/rules/0/budget/requests)\n"
     "d:2:64: error: must be a whole number from 1 to 2678400 (/rules/0/budget/seconds)\n"
     "d:2:84: error: is no word that can stand here; did you mean \"organization\"? "
     "(/rules/0/budget/each)\n"},
    {RULE("'budget': {'requests': 1, 'seconds': 1}"),
     "d:2:38: error: lacks \"each\": \"principal\", \"organization\" or \"gate\" (/rules/0/budget)\n"},

    /* scope */
    {RULE("'deny': true, 'operations': [], 'organizations': ['*', 'x'], 'principals': ['anne']"),
     "d:2:52: error: is empty: leave it out, or put something in (/rules/0/operations)\n"
     "d:2:88: error: is not a UUID: for every organization leave \"organizations\" out "
     "(/rules/0/organizations/0)\n"
     "d:2:93: error: is not a UUID (/rules/0/organizations/1)\n"
     "d:2:114: error: unknown principal \"anne\"; did you mean \"ann\"? (/rules/0/principals/0)\n"},
    {RULE("'deny': true, 'operations': ['deleteIntegrations', 1], 'organizations': "
          "['AAAAAAAA-0001-4000-8000-000000000001']"),
     "d:2:89: error: must be a string (/rules/0/operations/1)\n"
     "d:2:111: warning: UUIDs are spelled in lower case: aaaaaaaa-0001-4000-8000-000000000001 "
     "(/rules/0/organizations/0)\n"},
    {RULE("'deny': true, 'operations': ['deleteIntegrations', 'listIntegration', 'x']"),
     "d:2:67: error: is no operation of the contract; did you mean \"deleteIntegration\"? "
     "(/rules/0/operations/0)\n"
     "d:2:89: error: is no operation of the contract; did you mean \"listIntegrations\"? "
     "(/rules/0/operations/1)\n"
     "d:2:108: error: is no operation of the contract (/rules/0/operations/2)\n"},

    /* conditions */
    {RULE("'deny': true, 'when': [], 'unless': [1]"),
     "d:2:52: error: is empty: leave it out, or put something in (/rules/0/when)\n"
     "d:2:75: error: must be an object (/rules/0/unless/0)\n"},
    {WHEN("{'equals': 1}"),
     "d:2:61: error: lacks \"at\": what it looks at, as a JSON pointer (/rules/0/when/0)\n"},
    {WHEN("{'at': 'version', 'equals': 1}, {'at': '', 'equals': 1}, {'at': '/body/~2', 'equals': 1}"),
     "d:2:62: error: is no JSON pointer (RFC 6901) such as \"/integration/attributes/profile_name\" "
     "(/rules/0/when/0/at)\n"
     "d:2:94: error: is no JSON pointer (RFC 6901) such as \"/integration/attributes/profile_name\" "
     "(/rules/0/when/1/at)\n"
     "d:2:119: error: is no JSON pointer (RFC 6901) such as \"/integration/attributes/profile_name\" "
     "(/rules/0/when/2/at)\n"},
    {WHEN("{'at': '/vresion', 'equals': 1}, {'at': '/integration/attribute', 'equals': 1}, {'at': '/radius', "
          "'equals': 1}"),
     "d:2:62: error: leads to nothing that a rule can look at (/version, /stability, /client, /time, "
     "/body/…, /integration/id, /integration/attributes/…, /integration/settings/…, /radius/targets, "
     "/radius/projects); did you mean \"version\"? (/rules/0/when/0/at)\n"
     "d:2:95: error: leads to nothing that a rule can look at (/version, /stability, /client, /time, "
     "/body/…, /integration/id, /integration/attributes/…, /integration/settings/…, /radius/targets, "
     "/radius/projects); did you mean \"attributes\"? (/rules/0/when/1/at)\n"
     "d:2:142: error: leads to nothing that a rule can look at (/version, /stability, /client, /time, "
     "/body/…, /integration/id, /integration/attributes/…, /integration/settings/…, /radius/targets, "
     "/radius/projects) (/rules/0/when/2/at)\n"},
    {WHEN("{'at': '/version/x', 'equals': 'x'}, {'at': '/integration/id/x', 'equals': 'x'}"),
     "d:2:62: error: leads on behind a value that has no members (/rules/0/when/0/at)\n"
     "d:2:99: error: leads on behind a value that has no members (/rules/0/when/1/at)\n"},
    {WHEN("{" AT "'equals': 1, 'in': [1]}, {" AT "'equal': 1}"),
     "d:2:61: error: needs one test, and not more: equals, in, matches, exists, above, within or during "
     "(/rules/0/when/0)\n"
     "d:2:124: error: unknown member \"equal\"; did you mean \"equals\"? (/rules/0/when/1/equal)\n"
     "d:2:105: error: needs one test, and not more: equals, in, matches, exists, above, within or during "
     "(/rules/0/when/1)\n"},
    {WHEN("{" AT "'equals': []}, {" AT "'in': [{}]}, {" AT "'in': []}, {" AT "'matches': '('}"),
     "d:2:80: error: must be a string, a number, true, false or null (/rules/0/when/0/equals)\n"
     "d:2:121: error: must be a string, a number, true, false or null (/rules/0/when/1/in/0)\n"
     "d:2:146: error: is empty: leave it out, or put something in (/rules/0/when/2/in)\n"
     "d:2:176: error: the pattern does not compile: missing closing parenthesis at offset 1 of the pattern "
     "(/rules/0/when/3/matches)\n"},
    {WHEN("{" AT "'exists': 1}, {" AT "'above': 1.5}, {" AT "'within': ['10.0.0.0/8']}, {" AT
          "'during': [{'days': ['mon']}]}"),
     "d:2:80: error: must be true or false (/rules/0/when/0/exists)\n"
     "d:2:113: error: must be a whole number (/rules/0/when/1/above)\n"
     "d:2:147: error: is a test for \"/client\" alone (/rules/0/when/2/within)\n"
     "d:2:193: error: is a test for \"/time\" alone (/rules/0/when/3/during)\n"},
    {WHEN("{'at': '/client', 'equals': 'x'}, {'at': '/time', 'exists': true}, {'at': '/client', 'within': "
          "['10.0.0.1/8', 'x', 1]}"),
     "d:2:79: error: is no test for this: use \"within\" (/rules/0/when/0/equals)\n"
     "d:2:111: error: is no test for this: use \"during\" (/rules/0/when/1/exists)\n"
     "d:2:157: error: has bits behind its prefix that are not zero (/rules/0/when/2/within/0)\n"
     "d:2:171: error: is no network such as \"10.0.0.0/8\" or \"2001:db8::/32\", and no address "
     "(/rules/0/when/2/within/1)\n"
     "d:2:176: error: must be a string (/rules/0/when/2/within/2)\n"},
    {WHEN("{'at': '/stability', 'in': ['gamma', 'bta']}"),
     "d:2:89: error: is no stability: \"wip\", \"experimental\", \"beta\" or \"ga\" (/rules/0/when/0/in/0)\n"
     "d:2:98: error: is no stability: \"wip\", \"experimental\", \"beta\" or \"ga\"; did you mean \"beta\"? "
     "(/rules/0/when/0/in/1)\n"},
    {DURING("{}, {'days': ['mon', 'funday']}, {'from': '08:00'}, {'from': '24:00', 'to': '24:01'}"),
     "d:2:88: error: says no time: give \"days\", \"from\" and \"to\", \"after\" or \"before\" "
     "(/rules/0/when/0/during/0)\n"
     "d:2:109: error: is no day: \"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\" or \"sun\" "
     "(/rules/0/when/0/during/1/days/1)\n"
     "d:2:121: error: needs both of \"from\" and \"to\", or none (/rules/0/when/0/during/2)\n"
     "d:2:141: error: must be a time of the day, \"00:00\" to \"23:59\" (UTC) "
     "(/rules/0/when/0/during/3/from)\n"
     "d:2:158: error: must be a time of the day, \"00:00\" to \"24:00\" (UTC) "
     "(/rules/0/when/0/during/3/to)\n"},
    {DURING("{'from': '8:00', 'to': '09:60'}, {'after': '2026-02-30T00:00:00Z'}, {'after': "
            "'2026-01-02T00:00:00Z', 'before': '2026-01-02T00:00:00Z'}, {'days': []}"),
     "d:2:89: error: must be a time of the day, \"00:00\" to \"23:59\" (UTC) "
     "(/rules/0/when/0/during/0/from)\n"
     "d:2:105: error: must be a time of the day, \"00:00\" to \"24:00\" (UTC) (/rules/0/when/0/during/0/to)\n"
     "d:2:122: error: must be a moment such as \"YYYY-MM-DDThh:mm:ssZ\" (RFC 3339, UTC) "
     "(/rules/0/when/0/during/1/after)\n"
     "d:2:156: error: \"after\" is not earlier than \"before\": this is no time at all "
     "(/rules/0/when/0/during/2)\n"
     "d:2:226: error: is empty: leave it out, or put something in (/rules/0/when/0/during/3/days)\n"},

    /* what does not fit the contract */
    {RULE("'operations': ['listIntegrations', 'deleteIntegration'], 'budget': {'requests': 1, 'seconds': 1, "
          "'each': 'gate'}"),
     "d:2:53: error: is a read; \"budget\" is for changes alone, which are recorded before they are sent "
     "(/rules/0/operations/0)\n"},
    {RULE("'operations': ['getIntegration'], 'require': {'approval': {'people': 1, 'seconds': 60}}"),
     "d:2:53: error: is a read; \"approval\" is for changes alone, which are recorded before they are sent "
     "(/rules/0/operations/0)\n"},
    {RULE("'operations': ['getIntegration'], 'require': {'break_glass': true}"),
     "d:2:53: error: is a read; \"break_glass\" is for changes alone, which are recorded before they are "
     "sent (/rules/0/operations/0)\n"},
    {RULE("'operations': ['getIntegration'], 'require': {'reason': 'x'}"), ""},
    {RULE("'deny': true, 'operations': ['getIntegration'], 'unless': [{'at': '/integration/attributes/x', "
          "'exists': true}]"),
     "d:2:67: error: is a read; what /integration/attributes/x looks at is known of changes alone "
     "(/rules/0/operations/0)\n"},
    {RULE("'deny': true, 'operations': ['getIntegration'], 'when': [{'at': '/integration/settings', "
          "'exists': true}]"),
     "d:2:67: error: is a read; what /integration/settings looks at is known of changes alone "
     "(/rules/0/operations/0)\n"},
    {RULE("'deny': true, 'operations': ['deleteIntegration', 'updateIntegration'], 'when': [{'at': "
          "'/radius/targets', 'above': 1}]"),
     "d:2:88: error: is no hard delete; what /radius/targets looks at is known of those alone "
     "(/rules/0/operations/1)\n"},
    {WHEN("{'at': '/radius/projects', 'above': 1}"), ""},

    /* secrets */
    {WHEN("{'at': '/body/data/attributes/credentials/region', 'equals': 'x'}, {'at': "
          "'/body/data/attributes/credentials', 'exists': true}"),
     "d:2:62: error: may lead to a secret: no rule looks at what the journal masks (/rules/0/when/0/at)\n"
     "d:2:129: error: may lead to a secret: no rule looks at what the journal masks (/rules/0/when/1/at)\n"},
    {WHEN("{'at': '/integration/attributes/credentials/password', 'exists': true}, {'at': "
          "'/integration/settings/brokerToken', 'exists': true}"),
     "d:2:62: error: may lead to a secret: no rule looks at what the journal masks (/rules/0/when/0/at)\n"
     "d:2:134: error: may lead to a secret: no rule looks at what the journal masks (/rules/0/when/1/at)\n"},
    {WHEN("{'at': '/body/data/attributes', 'exists': true}, {'at': '/body/data/attributes/profile_nam', "
          "'exists': true}, {'at': '/body', 'exists': true}"),
     "d:2:111: warning: no operation that the rule is about has this in its body: the condition sees nothing "
     "there (/rules/0/when/1/at)\n"},
    {DELETE_WHEN("{'at': '/body/data', 'exists': true}"),
     "d:2:99: warning: no operation that the rule is about has this in its body: the condition sees nothing "
     "there (/rules/0/when/0/at)\n"},
