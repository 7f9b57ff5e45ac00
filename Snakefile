# Runs workflow/Snakefile from the root of the repository; see there.
include: "workflow/Snakefile"


rule default:
    default_target: True
    input:
        rules.all.input,
    localrule: True
