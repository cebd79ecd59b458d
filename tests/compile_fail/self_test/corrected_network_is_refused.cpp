// expect: the earth is round
static_assert(false, "the earth is round");
