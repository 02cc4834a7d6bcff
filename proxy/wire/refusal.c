#include "proxy/wire/refusal.h"

enum refusal_kind wire_refusal_kind(enum wire_fault fault)
{
    switch (wire_fault_status(fault)) {
    case 413:
        return REFUSE_BODY_TOO_LARGE;
    case 414:
        return REFUSE_TARGET_TOO_LONG;
    case 417:
        return REFUSE_EXPECTATION;
    case 431:
        return REFUSE_HEADER_TOO_LARGE;
    case 501:
        return fault == WIRE_FAULT_METHOD_UNKNOWN ? REFUSE_METHOD_UNKNOWN : REFUSE_CODING_UNKNOWN;
    case 505:
        return REFUSE_HTTP_VERSION;
    default:
        return REFUSE_WIRE;
    }
}
