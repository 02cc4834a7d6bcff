#include "proxy/audit/claims_internal.h"
#include "proxy/base/log.h"
#include "proxy/base/step_log.h"

#include <stdlib.h>

#define NAME_OF(state, name) [APPROVAL_##state] = #name,
#define FOLLOWS(from, to)    [APPROVAL_##from][APPROVAL_##to] = true,

static const char *const STATE_NAMES[APPROVAL_STATES] = {APPROVAL_STATE_TABLE(NAME_OF)};
static const bool MAY_FOLLOW[APPROVAL_STATES][APPROVAL_STATES] = {APPROVAL_STEP_TABLE(FOLLOWS)};

void approval_step(const struct held_approval *approval, enum approval_state next)
{
    if (!MAY_FOLLOW[approval->state][next]) {
        log_event(LOG_ERROR, "approval", "approval %s: %s cannot follow %s: this is a defect, the gate stops",
                  approval->held.name, STATE_NAMES[next], STATE_NAMES[approval->state]);
        abort();
    }
    step_log(approval->held.name, "approval", STATE_NAMES[approval->state], STATE_NAMES[next]);
}
