/* The integration types that the API knows. */
#ifndef SANDBOX_CATALOGUE_H
#define SANDBOX_CATALOGUE_H

/* Which credentials a type takes; those of KIND_OTHER are listed and read here, but not made, changed or
 * deleted. */
enum credentials_kind {
    KIND_OTHER,
    KIND_ECR,
    KIND_DOCKER_HUB,
    KIND_GENERIC,
    KIND_GOOGLE,
    KIND_DIGITAL_OCEAN
};

struct integration_type {
    const char *name;
    enum credentials_kind kind;
};

/* The type of that name; NULL when there is none. */
const struct integration_type *catalogue_find(const char *name);

#endif
