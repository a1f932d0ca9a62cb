#pragma once

// Where libxml2 was built with ICU its headers include ICU's, whose types then stand against those of the ICU within Foundation. Nothing
// that we use depends on the switch.
#include <libxml/xmlversion.h>
#undef LIBXML_ICU_ENABLED

#include <libxml/HTMLparser.h>
