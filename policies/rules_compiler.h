/* What the files that compile the rules of a policy share. */
#ifndef POLICIES_RULES_COMPILER_H
#define POLICIES_RULES_COMPILER_H

#include "policies/policy_compiler.h"

/* Reads a member `when` or `unless` of a rule; empty without one. Whatever is wrong is noted, and what was
 * compiled before it is in the result: its patterns are the policy's to free. */
struct conditions conditions_compile(struct compiler *compiler, const struct place *above, json_t *rule,
                                     const char *member);

/* Reads the test of a condition: the one member of the object that names a test. */
void test_compile(struct compiler *compiler, const struct place *place, json_t *object,
                  struct condition *condition);

/* Reads the windows of `during`. */
void windows_compile(struct compiler *compiler, const struct place *place, json_t *list,
                     struct condition *condition);

/* Reads what the rule does. */
void effect_compile(struct compiler *compiler, const struct place *place, json_t *value, struct rule *rule);

/* Zeroed memory of the policy for an array; NULL, and noted, when there is none. */
void *policy_take(struct compiler *compiler, size_t count, size_t size);

/* Is the value an array with something in it, `most` elements at most? Notes an error otherwise. NULL is no
 * value: false without a note. */
bool list_is(struct compiler *compiler, const struct place *place, const json_t *value, size_t most);

#endif
