/* The lease of a response, opened in one call.

   What the patches and `begin` do for it takes longer in Python: between the
   requests of a program the interpreter meets each step unprepared
   (`python -m benchmarks.requests_cost` compares the two).

   Only what the documentation of CPython's C API offers is used and, to find the slots
   of a lease, the public structure of their descriptors. Whatever is out of the ordinary
   is left to the Python code: the answer is False, and nothing has happened. That code
   does without this module, too, where it could not be compiled. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <frameobject.h>  /* CPython 3.10 declares `PyFrame_GetBack` there. */
#include <structmember.h> /* T_OBJECT_EX */

#ifdef Py_GIL_DISABLED
#error "Not made for interpreters without the global lock."
#endif

#define BRIEF 6    /* Frames of a stack in brief, as `capture.BRIEF`. */
#define SEARCHED 5 /* Of these, where a site is looked for. */
#define NEAR 12    /* Of a call, where its site is looked for: as in `_stacks/sites.py`. */
#define DEEP 64    /* Frames of a whole stack that is kept without asking whose they are. */

/* The slots of a lease, all of which `begin_lease` fills. */
#define SLOTS(X)                                                                       \
    X(key) X(scope) X(stack) X(context) X(opened) X(active) X(ended) X(reading)        \
    X(bytes_read) X(length) X(status) X(method) X(url) X(client) X(thread) X(pool)     \
    X(slot) X(runner) X(kind)
#define INDEX(name) SLOT_##name,
#define QUOTED(name) #name,
enum slots { SLOTS(INDEX) SLOTS_OF_A_LEASE };

/* The names of other attributes, made once. */
#define NAMES(X)                                                                       \
    X(GLOBAL_RUN_CONTEXT) X(_CONTEXT_VARS) X(__dict__)                                 \
    X(_active) X(_connection) X(_fp) X(_fp_bytes_read) X(_get_running_loop) X(_name)   \
    X(_pool) X(asyncio) X(block) X(current_task) X(get_current) X(get_ident) X(host)   \
    X(key) X(length_remaining) X(opentelemetry) X(port) X(slots) X(sock) X(status)     \
    X(structlog) X(task) X(tasks) X(trio) X(turn)
#define DECLARE(name) static PyObject *str_##name;
NAMES(DECLARE)

/* What `Registry.settle` and `mocks.KNOWN` put together, in their order. */
enum registry {
    LEASE, BURY, LEASES, OPENED, CLOCK, POOLS, PROVEN, CUT, WHOLE, DEPTH, SAMPLE, RANDOM,
    VARIABLE, CURRENT, ADDRESSES, MODULES, THREADING, RUNNING, DIGEST, TELL, ORIGINS,
    REGISTRY
};
enum known { RESPONSES, BODIES, SOCKETS, KINDS };
enum arguments { PARTS, KNOWN, RESPONSE, POOL, METHOD, URL, FRAME, CLIENT, ARGUMENTS };
/* Of `open_lease`, whose first is the parts too. */
enum given {
    OF = 1, OF_RESPONSE, UNDER, HELD, OF_POOL, BY_METHOD, OF_URL, STATUS, LENGTH, READ,
    READING, PLACE, IN_TASK, GIVEN
};

/* What a lease is opened with. No reference is owned. */
struct opening {
    PyObject *client, *response, *connection, *held, *pool, *method, *url;
    PyObject *status, *length, *bytes_read, *reading;
    PyObject *place; /* The innermost frame to keep, or the site. */
    int near;        /* To the site is enough. */
    int in_task;     /* Above that are frames of a loop. */
};

enum answer { FAILED = -1, NO, YES };

static int
is_tuple(PyObject *value, Py_ssize_t size)
{
    return PyTuple_Check(value) && PyTuple_GET_SIZE(value) == size;
}

/* Whether the class of an attribute is known to be of the real world. */
static enum answer
is_real(PyObject *classes, PyObject *owner, PyObject *name)
{
    PyObject *value = PyObject_GetAttr(owner, name);
    if (value == NULL) {
        return FAILED;
    }
    PyObject *known = PyDict_GetItemWithError(classes, (PyObject *)Py_TYPE(value));
    Py_DECREF(value);
    if (known == NULL && PyErr_Occurred()) {
        return FAILED;
    }
    return known == Py_True ? YES : NO;
}

/* Whether it is known to be a response of urllib3. */
static enum answer
is_response(PyObject *kinds, PyObject *response)
{
    PyObject *responses = PyTuple_GET_ITEM(kinds, RESPONSES);
    PyObject *known = PyDict_GetItemWithError(responses, (PyObject *)Py_TYPE(response));
    if (known == NULL && PyErr_Occurred()) {
        return FAILED;
    }
    return known == Py_True ? YES : NO;
}

/* Whether a response and its connection are known to be no mocks. */
static enum answer
holds_real_connection(PyObject *kinds, PyObject *response, PyObject *connection)
{
    enum answer body = is_real(PyTuple_GET_ITEM(kinds, BODIES), response, str__fp);
    if (body != YES) {
        return body;
    }
    return is_real(PyTuple_GET_ITEM(kinds, SOCKETS), connection, str_sock);
}

/* The offset of the instruction that a frame is at, as its `f_lasti`. */
static PyObject *
offset_of(PyFrameObject *frame)
{
#if PY_VERSION_HEX >= 0x030B0000
    return PyLong_FromLong(PyFrame_GetLasti(frame));
#else
    return PyObject_GetAttrString((PyObject *)frame, "f_lasti");
#endif
}

/* Whether a place is that of a site whose responses have always ended well. */
static enum answer
is_proven(PyObject *proven, PyObject *code, PyObject *offset)
{
    long distance = PyLong_AsLong(offset);
    if (distance == -1 && PyErr_Occurred()) {
        return FAILED;
    }
    PyObject *place = PyLong_FromVoidPtr((char *)code + distance);
    if (place == NULL) {
        return FAILED;
    }
    enum answer is = PySet_Contains(proven, place);
    Py_DECREF(place);
    return is;
}

/* Code and offset of frame after frame, so many at most; how many items, or -1.

   The frame that follows the last one is not asked for: CPython makes an object of it. */
static int
walk(PyFrameObject *frame, int most, PyObject **items)
{
    int count = 0;

    Py_INCREF(frame);
    while (frame != NULL && count < 2 * most) {
        PyObject *offset = offset_of(frame);
        if (offset == NULL) {
            Py_DECREF(frame);
            while (count > 0) {
                Py_DECREF(items[--count]);
            }
            return -1;
        }
        items[count++] = (PyObject *)PyFrame_GetCode(frame);
        items[count++] = offset;
        PyFrameObject *back = count < 2 * most ? PyFrame_GetBack(frame) : NULL;
        Py_DECREF(frame);
        frame = back;
    }
    return count;
}

/* A stack of the items, whose references it takes; None of them where `wanted` is not
   YES. */
static PyObject *
stack_from(PyObject **items, int count, enum answer wanted)
{
    PyObject *stack = wanted == YES ? PyTuple_New(count) : NULL;

    for (int index = 0; index < count; index++) {
        if (stack == NULL) {
            Py_DECREF(items[index]);
        }
        else {
            PyTuple_SET_ITEM(stack, index, items[index]);
        }
    }
    if (wanted == NO) {
        Py_INCREF(Py_None);
        return Py_None;
    }
    return stack;
}

/* As `capture_brief`, and the whole of a stack that is no longer than that.

   None where neither is enough. */
static PyObject *
capture(PyFrameObject *frame, PyObject *proven, PyObject *cut)
{
    /* Where a site is looked for, the most likely first, as in `capture_brief`. */
    static const int searched[SEARCHED] = {3, 2, 1, 0, 4};
    /* Code and offset in turn, then the mark. */
    PyObject *items[2 * BRIEF + 2];
    int count = walk(frame, BRIEF, items);
    enum answer enough = NO;

    if (count < 0) {
        return NULL;
    }
    if (count < 2 * BRIEF) {
        return stack_from(items, count, YES);
    }
    for (int turn = 0; turn < SEARCHED && enough == NO; turn++) {
        PyObject **pair = items + 2 * searched[turn];
        enough = is_proven(proven, pair[0], pair[1]);
    }
    if (enough == YES) {
        PyObject *zero = PyLong_FromLong(0);
        if (zero == NULL) {
            enough = FAILED;
        }
        else {
            Py_INCREF(cut);
            items[count++] = cut;
            items[count++] = zero;
        }
    }
    return stack_from(items, count, enough);
}

/* As `Registry.capture`, which is asked where a stack is longer than it has to be. */
static PyObject *
capture_whole(PyFrameObject *frame, PyObject *depth, PyObject *whole)
{
    PyObject *items[2 * DEEP];
    int most, count;
    long frames = PyLong_AsLong(depth);

    if (frames == -1 && PyErr_Occurred()) {
        return NULL;
    }
    most = frames < DEEP ? (int)frames : DEEP;
    count = walk(frame, most, items);
    if (count < 0) {
        return NULL;
    }
    if (count < 2 * most) {
        return stack_from(items, count, YES);
    }
    Py_DECREF(stack_from(items, count, NO));
    return PyObject_CallOneArg(whole, (PyObject *)frame);
}

/* Whether code is of a coroutine or a generator. */
static int
is_suspending(PyCodeObject *code)
{
    return (code->co_flags & (CO_COROUTINE | CO_GENERATOR | CO_ASYNC_GENERATOR)) != 0;
}

/* The frame that has called one; NULL where that is a loop, which has resumed it. */
static PyFrameObject *
caller_of(PyFrameObject *frame, PyCodeObject *code)
{
    PyFrameObject *back = PyFrame_GetBack(frame);
    if (back != NULL && is_suspending(code)) {
        PyCodeObject *outer = PyFrame_GetCode(back);
        if (!is_suspending(outer)) {
            Py_CLEAR(back);
        }
        Py_DECREF(outer);
    }
    return back;
}

/* As `near_site`. Where places are given, as `brief` of that: empty where the site is
   none of these. */
static PyObject *
site_near(PyObject *origins, PyFrameObject *frame, PyObject *proven, PyObject *cut)
{
    PyObject *items[2 * NEAR + 2];
    int count = 0;
    enum answer found = NO;

    Py_INCREF(frame);
    while (found == NO && frame != NULL && count < 2 * NEAR) {
        PyFrameObject *back = NULL;
        PyObject *own = NULL, *offset = offset_of(frame);

        if (offset != NULL) {
            PyCodeObject *code = PyFrame_GetCode(frame);
            items[count++] = (PyObject *)code;
            items[count++] = offset;
            own = PyObject_GetItem(origins, code->co_filename);
            back = own == Py_False ? caller_of(frame, code) : NULL;
        }
        found = own == NULL ? FAILED : own == Py_True;
        Py_XDECREF(own);
        Py_SETREF(frame, back);
    }
    Py_XDECREF(frame);
    if (found == YES && proven != NULL) {
        found = is_proven(proven, items[count - 2], items[count - 1]);
        if (found == YES) {
            items[count + 1] = PyLong_FromLong(0); /* There already, as small numbers. */
            items[count] = cut;
            Py_INCREF(cut);
            count += 2;
        }
    }
    PyObject *stack = stack_from(items, count, found);
    if (stack == Py_None) {
        Py_SETREF(stack, PyTuple_New(0));
    }
    return stack;
}

/* Whether a lease is one of those that keep a stack. */
static enum answer
is_sampled(PyObject *sample, PyObject *random)
{
    double share = PyFloat_AsDouble(sample);
    double drawn = 0;
    if (share < 1 && !PyErr_Occurred()) {
        PyObject *value = PyObject_CallNoArgs(random);
        drawn = value == NULL ? 0 : PyFloat_AsDouble(value);
        Py_XDECREF(value);
    }
    if (PyErr_Occurred()) {
        return FAILED;
    }
    return drawn < share ? YES : NO;
}

/* Whether something may be bound to the log context: structlog keeps a context
   variable for each name that was ever bound, and OpenTelemetry one for spans. */
static enum answer
may_be_bound(PyObject *modules)
{
    PyObject *variables = PyContext_CopyCurrent();
    Py_ssize_t count = variables == NULL ? -1 : PyObject_Size(variables);
    Py_XDECREF(variables);
    if (count <= 0) {
        return count < 0 ? FAILED : NO;
    }
    PyObject *structlog = PyDict_GetItemWithError(modules, str_structlog);
    if (structlog != NULL) {
        variables = PyObject_GetAttr(structlog, str__CONTEXT_VARS);
        if (variables == NULL) {
            return FAILED;
        }
        count = PyDict_Check(variables) ? PyDict_Size(variables) : 1;
        Py_DECREF(variables);
        if (count > 0) {
            return YES;
        }
    }
    else if (PyErr_Occurred()) {
        return FAILED;
    }
    PyObject *spans = PyDict_GetItemWithError(modules, str_opentelemetry);
    if (spans == NULL) {
        return PyErr_Occurred() ? FAILED : NO;
    }
    Py_INCREF(spans);
    PyObject *current = PyObject_CallMethodNoArgs(spans, str_get_current);
    int any = current == NULL ? -1 : PyObject_IsTrue(current);
    Py_DECREF(spans);
    Py_XDECREF(current);
    return any < 0 ? FAILED : any ? YES : NO;
}

/* What the log context has bound, None where that is nothing. */
static PyObject *
context(PyObject *modules, PyObject *digest)
{
    enum answer may_be = may_be_bound(modules);
    if (may_be == FAILED) {
        if (!PyErr_ExceptionMatches(PyExc_AttributeError)) {
            return NULL;
        }
        PyErr_Clear(); /* Half imported, or a structlog that has it elsewhere. */
        may_be = YES;
    }
    if (may_be == YES) {
        return PyObject_CallNoArgs(digest);
    }
    Py_RETURN_NONE;
}

/* Whether a pool's address is one of our own pages. */
static enum answer
is_own_page(PyObject *addresses, PyObject *pool)
{
    if (PySet_GET_SIZE(addresses) == 0) {
        return NO;
    }
    enum answer is = FAILED;
    PyObject *host = PyObject_GetAttr(pool, str_host);
    PyObject *port = PyObject_GetAttr(pool, str_port);
    PyObject *address = host == NULL || port == NULL ? NULL : PyTuple_Pack(2, host, port);
    if (address != NULL) {
        is = PySet_Contains(addresses, address);
    }
    Py_XDECREF(host);
    Py_XDECREF(port);
    Py_XDECREF(address);
    return is;
}

/* The task that runs, None where it is none. As `current_task`; NULL without an error
   where that has to be asked. */
static PyObject *
current_task(PyObject *modules)
{
    PyObject *events = PyDict_GetItemWithError(modules, str_asyncio);
    PyObject *tasks = NULL, *trio = NULL, *there = NULL, *own = NULL, *task = NULL;
    PyObject *loop;

    if (events != NULL) {
        loop = PyObject_CallMethodNoArgs(events, str__get_running_loop);
        if (loop != NULL && loop != Py_None) {
            tasks = PyDict_GetItemWithError(modules, str_tasks);
            if (tasks != NULL) {
                task = PyObject_CallMethodOneArg(tasks, str_current_task, loop);
            }
        }
        Py_XDECREF(loop);
        if (loop != Py_None) {
            return task;
        }
    }
    if (PyErr_Occurred()) {
        return NULL;
    }
    trio = PyDict_GetItemWithError(modules, str_trio);
    if (trio == NULL) {
        return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    }
    /* Local to each thread. By its variables: to miss an attribute makes an error. */
    there = PyObject_GetAttr(trio, str_GLOBAL_RUN_CONTEXT);
    own = there == NULL ? NULL : PyObject_GetAttr(there, str___dict__);
    if (own != NULL && PyDict_Check(own)) {
        task = PyDict_GetItemWithError(own, str_task);
        if (task == NULL && !PyErr_Occurred()) {
            task = Py_None;
        }
        Py_XINCREF(task);
    }
    else if (own == NULL && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear(); /* Another version. */
    }
    Py_XDECREF(there);
    Py_XDECREF(own);
    return task;
}

/* The name of the thread that runs and a weak reference to it; NULL without an error
   where `threading` does not know it. */
static PyObject *
thread_name(PyObject *threading, PyObject **reference)
{
    PyObject *get_ident = PyDict_GetItemWithError(threading, str_get_ident);
    PyObject *ident = NULL, *active = NULL, *thread = NULL, *name = NULL;

    if (get_ident != NULL) {
        Py_INCREF(get_ident);
        ident = PyObject_CallNoArgs(get_ident);
        Py_DECREF(get_ident);
    }
    if (ident != NULL) {
        active = PyDict_GetItemWithError(threading, str__active);
    }
    if (active != NULL) {
        thread = PyDict_GetItemWithError(active, ident);
    }
    Py_XDECREF(ident);
    if (thread != NULL) {
        Py_INCREF(thread);
        *reference = PyWeakref_NewRef(thread, NULL);
        if (*reference != NULL) {
            name = PyObject_GetAttr(thread, str__name);
        }
        Py_DECREF(thread);
    }
    return name;
}

/* What runs at this moment, and the name of its thread, as `running`. */
static PyObject *
what_runs(PyObject *parts, PyObject **runner)
{
    PyObject *task = current_task(PyTuple_GET_ITEM(parts, MODULES));
    PyObject *name = NULL, *reference, *both;

    if (task != NULL) {
        name = thread_name(PyTuple_GET_ITEM(parts, THREADING), runner);
    }
    if (name != NULL && task != Py_None) {
        reference = PyWeakref_NewRef(task, NULL);
        both = reference == NULL ? NULL : PyTuple_Pack(2, reference, *runner);
        Py_XDECREF(reference);
        Py_SETREF(*runner, both);
        if (both == NULL) {
            Py_CLEAR(name);
        }
    }
    Py_XDECREF(task);
    if (name != NULL || PyErr_Occurred()) {
        return name;
    }
    both = PyObject_CallNoArgs(PyTuple_GET_ITEM(parts, RUNNING));
    if (both != NULL && is_tuple(both, 2)) {
        *runner = PyTuple_GET_ITEM(both, 0);
        name = PyTuple_GET_ITEM(both, 1);
        Py_INCREF(*runner);
        Py_INCREF(name);
    }
    Py_XDECREF(both);
    return name;
}

/* What a weak reference refers to, None where that is gone. */
static PyObject *
target_of(PyObject *reference)
{
#if PY_VERSION_HEX >= 0x030D0000
    PyObject *target;
    if (PyWeakref_GetRef(reference, &target) == 0) {
        Py_RETURN_NONE;
    }
    return target;
#else
    PyObject *target = PyWeakref_GetObject(reference); /* Borrowed. */
    Py_XINCREF(target);
    return target;
#endif
}

/* What is known of a pool, None where that is nothing.

   The pool is the response's own where none is given. */
static PyObject *
find_pool(PyObject *pools, PyObject *given, PyObject *response)
{
    PyObject *pool = NULL, *key = NULL, *known = NULL, *owner = NULL;
    PyObject *found = NULL;

    if (given == Py_None) {
        pool = PyObject_GetAttr(response, str__pool);
    }
    else {
        Py_INCREF(given);
        pool = given;
    }
    key = pool == NULL ? NULL : PyLong_FromVoidPtr(pool);
    known = key == NULL ? NULL : PyDict_GetItemWithError(pools, key);
    if (known != NULL) {
        Py_INCREF(known);
        owner = target_of(known);
        if (owner == pool) {
            Py_INCREF(known);
            found = known;
        }
    }
    if (found == NULL && !PyErr_Occurred()) {
        Py_INCREF(Py_None);
        found = Py_None;
    }
    Py_XDECREF(pool);
    Py_XDECREF(key);
    Py_XDECREF(known);
    Py_XDECREF(owner);
    return found;
}

/* The slot of a connection in its pool, None where it has none. Of a pool that blocks
   its turn too, and no slot of a connection that had the same number. */
static PyObject *
find_slot(PyObject *pool, PyObject *key, PyObject *connection, PyObject **turn)
{
    PyObject *block = PyObject_GetAttr(pool, str_block);
    PyObject *slots = block == NULL ? NULL : PyObject_GetAttr(pool, str_slots);
    PyObject *slot = slots == NULL ? NULL : PyDict_GetItemWithError(slots, key);

    if (slot == NULL && !PyErr_Occurred()) {
        slot = Py_None;
    }
    Py_XINCREF(slot);
    Py_XDECREF(slots);
    Py_XDECREF(block); /* One of two that are always there. */
    if (slot == NULL || block != Py_True) {
        return slot;
    }
    PyObject *owner = slot == Py_None ? NULL : target_of(slot);
    if (owner != connection) {
        Py_INCREF(Py_None);
        Py_SETREF(slot, Py_None);
    }
    Py_XDECREF(owner);
    *turn = slot == Py_None ? PyLong_FromLong(0) : PyObject_GetAttr(slot, str_turn);
    if (*turn == NULL) {
        Py_CLEAR(slot);
    }
    return slot;
}

/* The stack of a lease, None where it keeps none. What a scope judges has all of it. */
static PyObject *
stack_of(PyObject *parts, PyFrameObject *frame, PyObject *scope)
{
    PyObject *stack = Py_None;
    enum answer sampled = YES;

    if (scope == Py_None) {
        sampled = is_sampled(PyTuple_GET_ITEM(parts, SAMPLE),
                             PyTuple_GET_ITEM(parts, RANDOM));
        if (sampled == FAILED) {
            return NULL;
        }
        if (sampled == YES) {
            stack = capture(frame, PyTuple_GET_ITEM(parts, PROVEN),
                            PyTuple_GET_ITEM(parts, CUT));
            if (stack != Py_None) {
                return stack;
            }
            Py_DECREF(stack);
        }
    }
    if (sampled == YES) {
        return capture_whole(frame, PyTuple_GET_ITEM(parts, DEPTH),
                             PyTuple_GET_ITEM(parts, WHOLE));
    }
    Py_INCREF(stack);
    return stack;
}

/* As `brief` of a site. */
static PyObject *
brief(PyObject *site, PyObject *proven, PyObject *cut)
{
    Py_ssize_t count = PyTuple_GET_SIZE(site);
    enum answer enough = NO;

    if (count >= 2) {
        enough = is_proven(proven, PyTuple_GET_ITEM(site, count - 2),
                           PyTuple_GET_ITEM(site, count - 1));
    }
    if (enough == FAILED) {
        return NULL;
    }
    PyObject *mark = enough == YES ? Py_BuildValue("(Oi)", cut, 0) : PyTuple_New(0);
    if (enough == YES && mark != NULL) {
        Py_SETREF(mark, PySequence_Concat(site, mark));
    }
    return mark;
}

/* A stack that is no longer than to its site, empty where it has to be. */
static PyObject *
stack_to_site(PyObject *parts, PyObject *place, PyObject *scope)
{
    double share = PyFloat_AsDouble(PyTuple_GET_ITEM(parts, SAMPLE));
    PyObject *proven = PyTuple_GET_ITEM(parts, PROVEN);
    PyObject *cut = PyTuple_GET_ITEM(parts, CUT);

    if (share == -1 && PyErr_Occurred()) {
        return NULL;
    }
    if (share < 1 || scope != Py_None) {
        return PyTuple_New(0);
    }
    if (PyTuple_Check(place)) {
        return brief(place, proven, cut);
    }
    return site_near(PyTuple_GET_ITEM(parts, ORIGINS), (PyFrameObject *)place, proven,
                     cut);
}

/* Where the slots of a lease are, in bytes from its beginning; 0, or -1 on error.

   To find each by its name at each lease, as `PyObject_SetAttr` does, drives out of the
   interpreter's table of look-ups what the program needs there. */
static int
find_offsets(PyObject *type, const Py_ssize_t **offsets)
{
    static const char *const names[] = {SLOTS(QUOTED)};
    static Py_ssize_t found[SLOTS_OF_A_LEASE];
    static PyObject *of; /* The type whose slots they are: there is one. */

    for (int index = 0; of != type && index < SLOTS_OF_A_LEASE; index++) {
        PyObject *slot = PyObject_GetAttrString(type, names[index]);
        if (slot == NULL) {
            return -1;
        }
        if (Py_TYPE(slot) != &PyMemberDescr_Type ||
            ((PyMemberDescrObject *)slot)->d_member->type != T_OBJECT_EX) {
            PyErr_Format(PyExc_TypeError, "%R is no slot", slot);
            Py_DECREF(slot);
            return -1;
        }
        found[index] = ((PyMemberDescrObject *)slot)->d_member->offset;
        Py_DECREF(slot);
    }
    if (of != type) {
        Py_INCREF(type);
        Py_XSETREF(of, type);
    }
    *offsets = found;
    return 0;
}

#define PART(name) PyTuple_GET_ITEM(parts, name)
#define NOT_ORDINARY(value) ((value) == NULL || (value) == Py_None)

/* Open the lease of a response; NO where it takes Python code to do so. */
static enum answer
open_lease_of(PyObject *parts, const struct opening *given)
{
    PyObject *scope = NULL, *key = NULL, *slot = NULL, *stack = NULL, *thread = NULL;
    PyObject *bound = NULL, *now = NULL, *runner = NULL, *turn = NULL, *told = NULL;
    PyObject *lease = NULL, *counted = NULL, *holder = NULL;
    const Py_ssize_t *offsets;
    enum answer answer = NO;
    int there;

    /* Objects of the program are not kept for the sake of their text. */
    if (!PyUnicode_CheckExact(given->method) || !PyUnicode_CheckExact(given->url)) {
        goto leave;
    }
    if (PyContextVar_Get(PART(VARIABLE), NULL, &scope) < 0) {
        goto leave;
    }
    if (scope != Py_None) { /* It may be over. */
        Py_SETREF(scope, PyObject_CallNoArgs(PART(CURRENT)));
        if (scope == NULL) {
            goto leave;
        }
    }
    key = PyLong_FromVoidPtr(given->connection);
    there = key == NULL ? -1 : PyDict_Contains(PART(LEASES), key);
    if (there != 0 || is_own_page(PART(ADDRESSES), given->pool) != NO) {
        goto leave;
    }
    if (given->near) {
        stack = stack_to_site(parts, given->place, scope);
        if (stack == NULL) {
            goto leave;
        }
        if (PyTuple_GET_SIZE(stack) == 0) {
            Py_CLEAR(stack);
            if (given->in_task) {
                goto leave;
            }
        }
    }
    if ((thread = what_runs(parts, &runner)) == NULL) {
        goto leave;
    }
    /* From here on nothing is left to Python code: it would draw lots once more. */
    if (stack == NULL &&
        (stack = stack_of(parts, (PyFrameObject *)given->place, scope)) == NULL) {
        goto leave;
    }
    holder = given->held == given->connection ? key : PyLong_FromVoidPtr(given->held);
    if (holder == NULL ||
        (slot = find_slot(given->pool, holder, given->held, &turn)) == NULL ||
        (bound = context(PART(MODULES), PART(DIGEST))) == NULL ||
        (now = PyObject_CallNoArgs(PART(CLOCK))) == NULL ||
        find_offsets(PART(LEASE), &offsets) < 0) {
        goto leave;
    }
    if (slot != Py_None && holder == key) { /* The same number, which takes 32 bytes. */
        holder = NULL;
        Py_SETREF(key, PyObject_GetAttr(slot, str_key));
        if (key == NULL) {
            goto leave;
        }
    }
    lease = PyObject_CallFunctionObjArgs(PART(LEASE), given->response, PART(BURY), NULL);
    if (lease == NULL) {
        goto leave;
    }
#define FILL(name, value)                                                              \
    Py_INCREF(value);                                                                  \
    *(PyObject **)((char *)lease + offsets[SLOT_##name]) = value
    FILL(key, key);
    FILL(scope, scope);
    FILL(stack, stack);
    FILL(context, bound);
    FILL(opened, now);
    FILL(active, now);
    FILL(ended, Py_False);
    FILL(reading, given->reading);
    FILL(bytes_read, given->bytes_read);
    FILL(length, given->length);
    FILL(status, given->status);
    FILL(method, given->method);
    FILL(url, given->url);
    FILL(client, given->client);
    FILL(thread, thread);
    FILL(pool, given->pool);
    FILL(slot, slot);
    FILL(runner, runner);
    FILL(kind, Py_None);
    if (turn != NULL && PyObject_SetAttr(lease, str_turn, turn) < 0) {
        goto leave;
    }
    /* From here on a sweep sees it. */
    if (PyDict_SetItem(PART(LEASES), key, lease) < 0) {
        goto leave;
    }
    answer = YES;
    counted = PyObject_CallNoArgs(PART(OPENED));
    if (counted != NULL && PART(TELL) != Py_None) {
        told = PyObject_CallFunctionObjArgs(PART(TELL), lease, given->response, NULL);
    }
leave:
    /* A response that is only half one: Python code steps over it. */
    if (lease == NULL && PyErr_Occurred() &&
        PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
    }
    if (holder != key) {
        Py_XDECREF(holder);
    }
    Py_XDECREF(scope);
    Py_XDECREF(key);
    Py_XDECREF(slot);
    Py_XDECREF(stack);
    Py_XDECREF(thread);
    Py_XDECREF(bound);
    Py_XDECREF(runner);
    Py_XDECREF(turn);
    Py_XDECREF(told);
    Py_XDECREF(now);
    Py_XDECREF(lease);
    Py_XDECREF(counted);
    return PyErr_Occurred() ? FAILED : answer;
}

static PyObject *
as_bool(enum answer answer)
{
    return answer == FAILED ? NULL : PyBool_FromLong(answer == YES);
}

static PyObject *
begin_lease(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t nargs)
{
    struct opening given = {.reading = Py_False};
    PyObject *connection = NULL, *pool = NULL, *bytes_read = NULL, *length = NULL;
    PyObject *status = NULL;
    enum answer answer = NO;

    if (nargs != ARGUMENTS || !is_tuple(args[PARTS], REGISTRY) ||
        !is_tuple(args[KNOWN], KINDS) || !PyFrame_Check(args[FRAME])) {
        PyErr_SetString(PyExc_TypeError, "begin_lease: not what the patches pass");
        return NULL;
    }
    if (is_response(args[KNOWN], args[RESPONSE]) != YES) {
        goto leave;
    }
    connection = PyObject_GetAttr(args[RESPONSE], str__connection);
    if (NOT_ORDINARY(connection) ||
        holds_real_connection(args[KNOWN], args[RESPONSE], connection) != YES) {
        goto leave;
    }
    pool = find_pool(PyTuple_GET_ITEM(args[PARTS], POOLS), args[POOL], args[RESPONSE]);
    if (NOT_ORDINARY(pool) ||
        (bytes_read = PyObject_GetAttr(args[RESPONSE], str__fp_bytes_read)) == NULL ||
        (length = PyObject_GetAttr(args[RESPONSE], str_length_remaining)) == NULL ||
        (status = PyObject_GetAttr(args[RESPONSE], str_status)) == NULL) {
        goto leave;
    }
    given.client = args[CLIENT];
    given.response = args[RESPONSE];
    given.connection = given.held = connection;
    given.pool = pool;
    given.method = args[METHOD];
    given.url = args[URL];
    given.status = status;
    given.length = length;
    given.bytes_read = bytes_read;
    given.place = args[FRAME];
    answer = open_lease_of(args[PARTS], &given);
leave:
    /* As there. */
    if (answer == NO && PyErr_Occurred() &&
        PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
    }
    Py_XDECREF(connection);
    Py_XDECREF(pool);
    Py_XDECREF(bytes_read);
    Py_XDECREF(length);
    Py_XDECREF(status);
    return PyErr_Occurred() ? NULL : as_bool(answer);
}

static PyObject *
open_lease(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t nargs)
{
    struct opening given = {.near = 1};

    if (nargs != GIVEN || !is_tuple(args[PARTS], REGISTRY) ||
        !PyBool_Check(args[READING]) ||
        !(PyFrame_Check(args[PLACE]) ||
          (PyTuple_Check(args[PLACE]) && args[IN_TASK] == Py_True))) {
        PyErr_SetString(PyExc_TypeError, "open_lease: not what the gate passes");
        return NULL;
    }
    given.client = args[OF];
    given.response = args[OF_RESPONSE];
    given.connection = args[UNDER];
    given.held = args[HELD];
    given.pool = args[OF_POOL];
    given.method = args[BY_METHOD];
    given.url = args[OF_URL];
    given.status = args[STATUS];
    given.length = args[LENGTH];
    given.bytes_read = args[READ];
    given.reading = args[READING];
    given.place = args[PLACE];
    given.in_task = args[IN_TASK] == Py_True;
    return as_bool(open_lease_of(args[PARTS], &given));
}

static PyObject *
near_site(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t nargs)
{
    if (nargs != 2 || !PyDict_Check(args[0]) || !PyFrame_Check(args[1])) {
        PyErr_SetString(PyExc_TypeError, "near_site: not what the patches pass");
        return NULL;
    }
    return site_near(args[0], (PyFrameObject *)args[1], NULL, NULL);
}

PyDoc_STRVAR(begin_lease_doc,
             "begin_lease(parts, known, response, pool, method, url, frame, client)\n"
             "--\n\n"
             "Open the lease of a response; False where it takes Python code to do so.\n\n"
             "Args:\n"
             "    parts: `Registry.swift`.\n"
             "    known: `mocks.KNOWN`.\n"
             "    response: What a call returned.\n"
             "    pool: The pool; None: the response's own.\n"
             "    method: As of `begin`.\n"
             "    url: As of `begin`.\n"
             "    frame: As of `begin`.\n"
             "    client: As of `begin`.");

PyDoc_STRVAR(open_lease_doc,
             "open_lease(parts, client, response, connection, held, pool, method, url,\n"
             "           status, length, bytes_read, reading, place, in_task)\n"
             "--\n\n"
             "As `begin_lease`, of a response of any client.\n\n"
             "Args:\n"
             "    parts: `Registry.swift`.\n"
             "    held: What of the pool the response has.\n"
             "    place: The innermost frame to keep; in a task, the site if it is known.\n"
             "    in_task: Frames above the task's own are the loop's.\n"
             "    others: As of `begin`.");

PyDoc_STRVAR(near_site_doc,
             "near_site(origins, frame)\n"
             "--\n\n"
             "As that of `_stacks/sites.py`.");

static PyMethodDef methods[] = {
    {"begin_lease", (PyCFunction)(void (*)(void))begin_lease, METH_FASTCALL,
     begin_lease_doc},
    {"open_lease", (PyCFunction)(void (*)(void))open_lease, METH_FASTCALL,
     open_lease_doc},
    {"near_site", (PyCFunction)(void (*)(void))near_site, METH_FASTCALL, near_site_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "httpguard._clients.urllib3._speedups",
    .m_doc = "What `begin` does for ordinary responses, compiled.",
    .m_size = -1,
    .m_methods = methods,
};

PyMODINIT_FUNC
PyInit__speedups(void)
{
#define INTERN(name)                                                                   \
    if ((str_##name = PyUnicode_InternFromString(#name)) == NULL) {                    \
        return NULL;                                                                   \
    }
    NAMES(INTERN)
    /* The modules that have what is looked for. */
    Py_SETREF(str_structlog, PyUnicode_InternFromString("structlog.contextvars"));
    Py_SETREF(str_opentelemetry, PyUnicode_InternFromString("opentelemetry.context"));
    Py_SETREF(str_asyncio, PyUnicode_InternFromString("asyncio.events"));
    Py_SETREF(str_trio, PyUnicode_InternFromString("trio._core._run"));
    Py_SETREF(str_tasks, PyUnicode_InternFromString("asyncio.tasks"));
    if (str_structlog == NULL || str_opentelemetry == NULL || str_asyncio == NULL ||
        str_tasks == NULL || str_trio == NULL) {
        return NULL;
    }
    return PyModule_Create(&definition);
}
