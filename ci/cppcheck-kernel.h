/* Macros of the kernel's headers that cppcheck, which reads none of them, cannot do without. */
#define for_each_process_thread(process, task) for (process = task = 0; process; process = task)
#define __init
#define __exit
#define for_each_possible_cpu(cpu) for (cpu = 0; cpu < 2; cpu++)
#define for_each_online_cpu(cpu) for (cpu = 0; cpu < 2; cpu++)
