// expect: the earth is flat
#ifndef TYPENET_POSITIVE_TWIN
static_assert(false, "the earth is round");
#endif
