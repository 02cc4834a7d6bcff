/* The checks of each operation's body, to be given to call_body. */
#ifndef SANDBOX_BODY_H
#define SANDBOX_BODY_H

#include "tests/sandbox/call.h"

void body_check_create(struct call *call, json_t *body);

/* The integration that the path names must exist. */
void body_check_update(struct call *call, json_t *body);
void body_check_settings(struct call *call, json_t *body);

#endif
