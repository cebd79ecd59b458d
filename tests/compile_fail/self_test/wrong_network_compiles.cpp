// expect: error
#ifdef TYPENET_POSITIVE_TWIN
static_assert(true);
#else
static_assert(1 + 1 == 2);
#endif
