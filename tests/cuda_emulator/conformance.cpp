// The conformance suite on the emulator, under each schedule.
#include "conformance.cuh"

int main() {
    int failed = 0;
    for (const emulator::Schedule schedule :
         {emulator::Schedule{emulator::Order::forward, 0},
          emulator::Schedule{emulator::Order::reversed, 0},
          emulator::Schedule{emulator::Order::random, emulator::seed()},
          emulator::Schedule{emulator::Order::random, emulator::seed() + 1}}) {
        emulator::set_schedule(schedule);
        failed += conformance::run_all();
    }
    return failed == 0 ? 0 : 1;
}
