#include "kernel_like.h"

static const char _acpi_module_name[] = "psargs";

extern int acpi_error(const char *module_name, u32 line_number, const char *format, ...);




int check(void *handle, void *inode, int x)
{
	if (x < 0)
		return acpi_error(_acpi_module_name, __LINE__, "Invalid ArgType 0x%X", x);
	return helper(x);
}
