"""What is changed in the gate's judgement, a line at a time, to see whether the property test notices (mutants.py)."""

import collections

Mutation = collections.namedtuple("Mutation", "name file line instead")

MUTATIONS = [Mutation(*row) for row in [
    # Identity
    ("a certificate of another principal goes with a token", "policies/identify.c",
     "return certified == holder ? IDENTITY_TOKEN_AND_CERTIFICATE : IDENTITY_CONFLICT;", "return IDENTITY_TOKEN_AND_CERTIFICATE;"),
    ("a token alone will do where both are needed", "policies/identify.c",
     "return holder->identity == IDENTITY_BY_BOTH ? IDENTITY_NO_CERTIFICATE : IDENTITY_TOKEN;", "return IDENTITY_TOKEN;"),
    ("a certificate alone will do where both are needed", "policies/identify.c",
     "return certified->identity == IDENTITY_BY_BOTH ? IDENTITY_NO_TOKEN : IDENTITY_CERTIFICATE;", "return IDENTITY_CERTIFICATE;"),
    ("a certificate with the names of two is the first's", "policies/identify.c", "*ambiguous = found != NULL;", "*ambiguous = false;"),
    # Version
    ("the first version counts", "policies/gate_version.c", "else if (!span_equal(found, field->value))", "else if (false)"),
    ("a stability alone passes the bounds", "policies/gate_version.c",
     "if (version->date == 0 && (rules->oldest != 0 || rules->newest != 0))", "if (version->date == 0 && rules->oldest != 0 && rules->newest != 0)"),
    ("any day is in the calendar", "policies/version.c", "return day >= 1 && day <= days[month - 1] + (month == 2 && leap ? 1u : 0u);", "return day >= 1;"),
    ("leap years are forgotten", "policies/version.c", "bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);", "bool leap = true;"),
    ("the oldest date is not allowed", "policies/gate_version.c", "version->date < rules->oldest)", "version->date <= rules->oldest)"),
    ("the newest date is not allowed", "policies/gate_version.c", "version->date > rules->newest)", "version->date >= rules->newest)"),
    ("a bare date is beta", "policies/version.c", "version->stability = STABILITY_GA;", "version->stability = STABILITY_BETA;"),
    ("ga may be spelled out", "policies/version.c", "return stability_named(word, &version->stability) && version->stability != STABILITY_GA;",
     "return stability_named(word, &version->stability);"),
    # Parameters
    ("unknown parameters pass", "policies/gate_parameters.c", 'else if (!span_is(given->name, "version"))', "else if (false)"),
    ("both cursors may be given", "policies/gate_parameters.c", 'target_parameter(&out->target, "ending_before").data != NULL)',
     'target_parameter(&out->target, "ending_before").data == NULL)'),
    ("the path is not looked at", "policies/gate_parameters.c", "    check_path(input, out);\n    check_query", "    check_query"),
    # Permission
    ("a denial wins over nothing", "policies/policy_lookup.c", "    access.allowed &= ~access.denied;\n", ""),
    ("grants of all organisations are forgotten", "policies/policy_lookup.c",
     "    access_add(policy, (struct grant_pair){EVERYWHERE, principal->index}, now, &access);\n", ""),
    ("denials are not collected", "policies/policy_lookup.c", "        access->denied |= grant->denied;\n", ""),
    ("edit does not cover deleting", "policies/permission.c", "EDIT = CREATE | UPDATE | DELETE | SETTINGS_EDIT,", "EDIT = CREATE | UPDATE | SETTINGS_EDIT,"),
    ("updating is changing settings", "policies/permission.c", "SETTINGS_EDIT = 1u << 4,", "SETTINGS_EDIT = UPDATE,"),
    ("some of the permission will do", "policies/gate_permission.c",
     "if (operation->permission == 0 || (operation->permission & ~access.allowed) != 0)", "if (operation->permission == 0)"),
    ("no credential is needed", "policies/gate_permission.c", "return !tokenless || gate_credential(input, out) != CREDENTIAL_OWN;", "return true;"),
    ("a grant's time does not matter", "policies/policy_lookup.c",
     "return grant->term == ALWAYS || term_at(&policy->terms[grant->term], now) == TERM_RUNNING;", "return true;"),
    ("a token's time does not matter", "policies/identify.c", "term != NULL && term_at(term, request->now) != TERM_RUNNING", "false"),
    # Body
    ("the id in the body is not looked at", "policies/gate_body.c", "if (!span_equal_nocase(text, resource)) {", "if (false) {"),
    ("any media type will do", "policies/gate_body.c", "        verdict = check_media_type(request, out);\n", "        verdict = VERDICT_PASS;\n"),
    ("the body is not held against the contract", "policies/gate_body.c", "if (!check_id(out) || !valid) {", "if (!check_id(out)) {"),
    ("a text may be one too long", "policies/schema_validate.c", "else if (length > schema->max_length)", "else if (length > schema->max_length + 1)"),
    # Operation
    ("content where there is none to be", "policies/gate_operation.c", "if (request->has_content && match.operation->body == NULL)", "if (false)"),
]]
