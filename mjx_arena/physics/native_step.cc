// Steps many simulations of one MuJoCo model in one call of XLA's foreign function interface: no Python, no GIL.
//
// `native_library.py` builds this file. A model is registered by a number that depends on nothing but the model, and the
// target `Step` gets that number as an attribute, so that compiled programs may be kept from run to run.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <mujoco/mjbatch.h>
#include <mujoco/mujoco.h>
#include "xla/ffi/api/ffi.h"

namespace {

namespace ffi = xla::ffi;

struct Delete {
  void operator()(mjBatch* batch) const { mjb_deleteBatch(batch); }
};
using Batch = std::unique_ptr<mjBatch, Delete>;

struct Engine {
  mjModel* model;
  int threads;
  // Batches that no call is using: a batch serves one call at a time. By number of simulations and expanded fields.
  std::map<std::pair<int64_t, std::string>, std::vector<Batch>> idle;
};

std::mutex mutex;  // of `engines`, and of all that is in them
auto& engines = *new std::map<int64_t, Engine>;  // never destroyed: at exit, calls may be running

// The rows of an argument or a result, one for each simulation.
struct Rows {
  float* data;
  int64_t width;

  Rows(ffi::Buffer<ffi::F32> buffer, int64_t count)
      : data(buffer.typed_data()), width(static_cast<int64_t>(buffer.element_count()) / count) {}
  float* of(int simulation) const { return data + simulation * width; }
};

struct Call {
  int substeps;
  Rows qpos, qvel, act, warmstart, ctrl, applied;
  Rows new_qpos, new_qvel, new_act, new_warmstart, sensordata;
};

// Returns whether all numbers of the row are finite.
bool Read(const Rows& rows, int simulation, mjtNum* to) {
  const float* from = rows.of(simulation);
  std::copy_n(from, rows.width, to);
  return std::all_of(from, from + rows.width, [](float x) { return std::isfinite(x); });
}

void Write(const mjtNum* from, const Rows& rows, int simulation) {
  std::transform(from, from + rows.width, rows.of(simulation), [](mjtNum x) { return static_cast<float>(x); });
}

// Counts the warnings that a simulation has diverged.
int Diverged(const mjData* d) {
  return d->warning[mjWARN_BADQPOS].number + d->warning[mjWARN_BADQVEL].number + d->warning[mjWARN_BADQACC].number;
}

// Steps one simulation, on a thread of the batch. A simulation that cannot be stepped ends as NaN.
void StepOne(const mjModel* m, mjData* d, int simulation, void* argument) {
  const Call& call = *static_cast<const Call*>(argument);
  for (const Rows& rows : {call.new_qpos, call.new_qvel, call.new_act, call.new_warmstart, call.sensordata}) {
    std::fill_n(rows.of(simulation), rows.width, std::numeric_limits<float>::quiet_NaN());
  }
  bool finite = Read(call.qpos, simulation, d->qpos) && Read(call.qvel, simulation, d->qvel) &&
                Read(call.act, simulation, d->act) && Read(call.warmstart, simulation, d->qacc_warmstart) &&
                Read(call.ctrl, simulation, d->ctrl) && Read(call.applied, simulation, d->qfrc_applied);
  if (!finite) return;

  const int diverged = Diverged(d);
  for (int i = 0; i < call.substeps; ++i) mj_step(m, d);
  if (call.sensordata.width) {  // sensors of the new state: `mj_step` leaves those of the state before
    mj_fwdPosition(m, d);
    mj_sensorPos(m, d);
    mj_fwdVelocity(m, d);
    mj_sensorVel(m, d);
  }
  if (Diverged(d) != diverged) return;
  Write(d->qpos, call.new_qpos, simulation);
  Write(d->qvel, call.new_qvel, simulation);
  Write(d->act, call.new_act, simulation);
  Write(d->qacc_warmstart, call.new_warmstart, simulation);
  Write(d->sensordata, call.sensordata, simulation);
}

// Takes a batch that no call is using, or makes one; null with an error where that fails.
Batch Take(Engine& engine, int64_t count, const std::string& fields, std::string& error) {
  {
    std::lock_guard<std::mutex> lock(mutex);
    auto& idle = engine.idle[{count, fields}];
    if (!idle.empty()) {
      Batch batch = std::move(idle.back());
      idle.pop_back();
      return batch;
    }
  }
  char text[1000] = "";
  mjBatchConfig config;
  mjb_defaultConfig(&config);
  config.nthread = static_cast<int>(std::min<int64_t>(engine.threads, count));
  Batch batch(mjb_makeBatch(engine.model, static_cast<int>(count), &config, text, sizeof(text)));
  error = text;
  return batch;
}

template <typename T>
void Fill(const Rows& rows, int64_t count, void* to) {
  std::transform(rows.data, rows.data + count * rows.width, static_cast<T*>(to), [](float x) { return T(x); });
}

// Gives a field of the model its own value in each simulation. `field` is the letter of its type in NumPy, then its name.
bool Expand(mjBatch* batch, const std::string& field, const Rows& rows, int64_t count) {
  int width = 0;
  void* to = mjb_expand(batch, field.c_str() + 1, &width, nullptr);
  if (!to || width != rows.width) return false;
  switch (field[0]) {
    case 'd': Fill<double>(rows, count, to); return true;
    case 'f': Fill<float>(rows, count, to); return true;
    case 'i': Fill<int32_t>(rows, count, to); return true;
    case 'b': Fill<int8_t>(rows, count, to); return true;
    case 'B': Fill<uint8_t>(rows, count, to); return true;
    case '?': Fill<bool>(rows, count, to); return true;
    default: return false;
  }
}

using In = ffi::Buffer<ffi::F32>;
using Out = ffi::Result<ffi::Buffer<ffi::F32>>;

// Arguments `[..., width]`, with the same leading axes; `fields`, each with a comma behind it, are those of `values`.
ffi::Error StepAll(int64_t model, int64_t substeps, std::string_view fields, In qpos, In qvel, In act, In warmstart,
                   In ctrl, In applied, ffi::RemainingArgs values, Out new_qpos, Out new_qvel, Out new_act,
                   Out new_warmstart, Out sensordata) {
  Engine* engine = nullptr;
  {
    std::lock_guard<std::mutex> lock(mutex);
    auto found = engines.find(model);
    if (found == engines.end()) return ffi::Error::Internal("the model of this program is not registered");
    engine = &found->second;
  }
  const auto dimensions = qpos.dimensions();
  int64_t count = 1;  // not elements / nq, which may be 0
  for (size_t i = 0; i + 1 < dimensions.size(); ++i) count *= dimensions[i];
  if (count == 0) return ffi::Error::Success();
  const std::string names(fields);
  std::string error;
  Batch batch = Take(*engine, count, names, error);
  if (!batch) return ffi::Error::Internal("MuJoCo cannot make a batch: " + error);
  for (size_t i = 0, begin = 0; i < values.size(); ++i) {
    const size_t end = names.find(',', begin);
    const std::string field = names.substr(begin, end - begin);
    auto value = values.get<In>(i);
    if (!value.has_value() || !Expand(batch.get(), field, Rows(*value, count), count)) {
      return ffi::Error::InvalidArgument("cannot set the field " + field);
    }
    begin = end + 1;
  }
  Call call{static_cast<int>(substeps),
            Rows(qpos, count),
            Rows(qvel, count),
            Rows(act, count),
            Rows(warmstart, count),
            Rows(ctrl, count),
            Rows(applied, count),
            Rows(*new_qpos, count),
            Rows(*new_qvel, count),
            Rows(*new_act, count),
            Rows(*new_warmstart, count),
            Rows(*sensordata, count)};
  mjb_apply(batch.get(), nullptr, 0, StepOne, &call, 0);
  std::lock_guard<std::mutex> lock(mutex);
  engine->idle[{count, names}].push_back(std::move(batch));
  return ffi::Error::Success();
}

}  // namespace

XLA_FFI_DEFINE_HANDLER_SYMBOL(Step, StepAll,
                              ffi::Ffi::Bind()
                                  .Attr<int64_t>("model")
                                  .Attr<int64_t>("substeps")
                                  .Attr<std::string_view>("fields")
                                  .Arg<In>()
                                  .Arg<In>()
                                  .Arg<In>()
                                  .Arg<In>()
                                  .Arg<In>()
                                  .Arg<In>()
                                  .RemainingArgs()
                                  .Ret<In>()
                                  .Ret<In>()
                                  .Ret<In>()
                                  .Ret<In>()
                                  .Ret<In>());

// Keeps a copy of `model` under the number `id`, to be stepped by `threads` threads at a time.
extern "C" void Register(int64_t id, const mjModel* model, int threads) {
  std::lock_guard<std::mutex> lock(mutex);
  auto [engine, is_new] = engines.try_emplace(id);
  if (is_new) engine->second.model = mj_copyModel(nullptr, model);
  engine->second.threads = threads;
}
