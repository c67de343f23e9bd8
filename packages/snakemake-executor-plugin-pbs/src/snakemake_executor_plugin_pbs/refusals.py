"""Exit statuses of qsub, and what each of them means for the job.

qsub exits with the number of a PBS error modulo 256, or with 1 or 2 if it refuses its own arguments. The numbers and
names are those of `src/include/pbs_error.h` of OpenPBS, in two versions: commit 64df675a (2019) and commit 0e060161
(2020). The older one ends at 15224, and its 15181 has another name. The statuses 2, 32, 38, 170, 173,
175, 187 and 188 were also seen on OpenPBS servers. This module starts no program and imports nothing from the package.
"""

import re
from enum import Enum

FIRST_ERROR = 15000
LAST_ERROR = 15229


class Refusal(Enum):
    """What follows from a refusal of qsub."""

    WAIT = "wait"  # the same qsub can succeed later: a limit is reached, or the server is busy or restarts
    FINAL = "final"  # the same qsub is refused again, so a retry is of no use
    FAULT = "fault"  # an error within PBS, after which Snakemake's retries may help


WAITS = {
    15021: "QUNOENB",  # queue not enabled
    15033: "NOCONNECTS",  # no free connections
    15034: "NOSERVER",  # no server to connect to
    15044: "RESCUNAV",  # resources temporarily unavailable
    15046: "MAXQUED",  # maximum number of jobs in the queue
    15060: "SVRDOWN",  # server shutting down
    15090: "LICENSECPU",  # licensed CPUs exceeded
    15098: "LICENSEUNAV",  # floating licence unavailable
    15099: "NOSCHEDULER",  # scheduler cannot be contacted
    15117: "CONNFULL",  # connection table of the server full
    15121: "LICENSE_SERVER_DOWN",
    15142: "ENTLIMCT",  # limit of jobs of a user, group or project
    15143: "ENTLIMRESC",  # limit of resources of a user, group or project
    15208: "TRYAGAIN",  # try the request again later
}
FAULTS = {
    15006: "TOOMANY",  # too many submit retries
    15009: "JOBEXIST",  # job already exists
    15010: "SYSTEM",  # system error
    15011: "INTERNAL",  # internal error of the server
    15031: "PROTOCOL",  # error of the batch protocol
    15056: "DISPROTO",  # error of the request protocol
    15070: "NORELYMOM",  # the server could not contact a node
    15082: "genBatchReq",  # generation of a request failed
    15160: "FORCE_QSUB_UPDATE",  # qsub has to repeat an action
    15161: "SAVE_ERR",  # the job could not be saved in the database
    15205: "RMSYSTEM",  # system error of the resource monitor
}
# In the order of their numbers, which are consecutive but for the gaps. An error of another request than qsub's is
# final too: the status then has another cause than the one that its name tells.
FINALS = {
    15001: "UNKJOBID NOATTR ATTRRO IVALREQ UNKREQ",
    15007: "PERM BADHOST",
    15012: "REGROUTE UNKSIG BADATVAL MODATRRUN BADSTATE",
    15018: "UNKQUE BADCRED EXPIRED",
    15022: "QACESS BADUSER HOPCOUNT QUEEXIST ATTRTYPE OBJBUSY QUENBIG NOSUP QUENOEN",
    15032: "BADATLST",
    15035: "UNKRESC EXCQRESC QUENODFLT NORERUN ROUTEREJ ROUTEEXPD MOMREJECT BADSCRIPT STAGEIN",
    15045: "BADGRP",
    15047: "CKPBSY EXLIMIT BADACCT ALRDYEXIT NOCOPYFILE CLEANEDOUT NOSYNCMSTR BADDEPEND DUPLIST",
    15057: "EXECTHERE SISREJECT SISCOMM",
    15061: "CKPSHORT UNKNODE UNKNODEATR NONODES NODENBIG NODEEXIST BADNDATVAL MUTUALEX GMODERR",
    15071: "NOTSNODE",
    15075: "RESV_NO_WALLTIME JOBNOTRESV TOOLATE IRESVE",
    15080: "RESVEXIST resvFail",
    15083: "mgrBatchReq UNKRESVID delProgress BADTSPEC RESVMSG NOTRESV BADNODESPEC",
    15091: "LICENSEINV RESVAUTH_H RESVAUTH_G RESVAUTH_U R_UID R_GID IBMSPSWITCH",
    15100: "RESCNOTSTR",
    15107: "MaxArraySize INVALSELECTRESC INVALJOBRESC INVALNODEPLACE PLACENOSELECT INDIRECTHOP INDIRECTBT",
    15115: "NODESTALE DUPRESC",
    15118: "LICENSE_MIN_BADVAL LICENSE_MAX_BADVAL LICENSE_LINGER_BADVAL",
    15122: "LICENSE_BAD_ACTION BAD_FORMULA BAD_FORMULA_KW BAD_FORMULA_TYPE BAD_RRULE_YEARLY BAD_RRULE_MONTHLY "
    "BAD_RRULE_WEEKLY BAD_RRULE_DAILY BAD_RRULE_HOURLY BAD_RRULE_MINUTELY BAD_RRULE_SECONDLY BAD_RRULE_SYNTAX "
    "BAD_RRULE_SYNTAX2 BAD_ICAL_TZ HOOKERROR NEEDQUET ETEERROR HISTJOBID JOBHISTNOTSET MIXENTLIMS",
    15144: "ATVALERANGE PROV_HEADERROR NODEPROV_NOACTION NODEPROV NODEPROV_NODEL NODE_BAD_CURRENT_AOE",
    15153: "NOLOOPBACKIF",
    15155: "IVAL_AOECHUNK JOBINRESV_CONFLICT NORUNALTEREDJOB HISTJOBDELETED NOHISTARRAYSUBJOB",
    15162: "MAX_NO_MINWT MIN_GT_MAXWT NOSTF_RESV NOSTF_JOBARRAY NOLIMIT_RESOURCE MOM_INCOMPLETE_HOOK "
    "MOM_REJECT_ROOT_SCRIPTS HOOK_REJECT HOOK_REJECT_RERUNJOB HOOK_REJECT_DELETEJOB IVAL_OBJ_NAME JOBNBIG RESCBUSY "
    "JOBSCRIPTMAXSIZE BADJOBSCRIPTMAXSIZE WRONG_RESUME RESV_NOT_EMPTY STDG_RESV_OCCR_CONFLICT SOFTWT_STF "
    "RESV_FROM_RESVJOB RESV_FROM_ARRJOB SELECT_NOT_SUBSET",
    15201: "RMUNKNOWN RMBADPARAM RMNOPARAM RMEXIST",
    15206: "RMPART",
    15209: "ALPSRELERR JOB_MOVED SCHEDEXIST SCHED_NAME_BIG UNKSCHED SCHED_NO_DEL SCHED_PRIV_EXIST SCHED_LOG_EXIST "
    "ROUTE_QUE_NO_PARTITION CANNOT_SET_ROUTE_QUE QUE_NOT_IN_PARTITION PARTITION_NOT_IN_QUE INVALID_PARTITION_QUE "
    "ALPS_SWITCH_ERR SCHED_OP_NOT_PERMITTED SCHED_PARTITION_ALREADY_EXISTS INVALID_MAX_JOB_SEQUENCE_ID "
    "SVR_SCHED_JSF_INCOMPAT NODE_BUSY DEFAULT_PARTITION HISTDEPEND",
}
ERRORS: dict[int, tuple[str, Refusal]] = {
    **{number: (name, Refusal.WAIT) for number, name in WAITS.items()},
    **{number: (name, Refusal.FAULT) for number, name in FAULTS.items()},
    **{
        first + offset: (name, Refusal.FINAL)
        for first, names in FINALS.items()
        for offset, name in enumerate(names.split())
    },
}
OWN_STATUSES = (1, 2)  # qsub refuses the script or an option, before it asks the server
NOT_CONNECTED = "cannot connect to server"


def refusal(status: int, err: str) -> Refusal:
    """Return what follows from a refusal of qsub; an unknown exit status is a fault.

    Args:
        status: exit status of qsub.
        err: error output of qsub.
    """
    if NOT_CONNECTED in err.lower():
        return Refusal.WAIT
    if status in OWN_STATUSES:
        return Refusal.FINAL
    _, verdict = ERRORS.get(error_number(status), ("", Refusal.FAULT))
    return verdict


def error_number(status: int) -> int:
    """Return the number of the PBS error that has this exit status.

    256 consecutive numbers have 256 exit statuses, and all numbers of PBS lie between FIRST_ERROR and LAST_ERROR.
    """
    return FIRST_ERROR + (status - FIRST_ERROR) % 256


def message(err: str) -> str:
    """Return the error output of qsub as one line, without the usage text that follows the message."""
    before_usage = re.split(r"^usage:", err, maxsplit=1, flags=re.IGNORECASE | re.MULTILINE)[0]
    return " ".join(before_usage.split())
