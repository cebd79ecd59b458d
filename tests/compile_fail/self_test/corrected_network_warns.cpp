// expect: the earth is round
#ifdef TYPENET_POSITIVE_TWIN
int narrowed(double value) {
    return value;
}
#else
static_assert(false, "the earth is round");
#endif
