// expect: the second
#ifndef TYPENET_POSITIVE_TWIN
static_assert(false, "the first");
static_assert(false, "the second");
#endif
