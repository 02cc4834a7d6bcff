/* What a client is told when the wire grammar refuses its request. */
#ifndef PROXY_WIRE_REFUSAL_H
#define PROXY_WIRE_REFUSAL_H

#include "policies/refusal.h"
#include "proxy/wire/wire.h"

/* The kind of refusal that a fault is answered with; its status is the fault's. */
enum refusal_kind wire_refusal_kind(enum wire_fault fault);

#endif
