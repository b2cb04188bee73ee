// Asking the gateway: every answer is data or a Trouble that says what happened and what to do, in Vietnamese.

const KEY = "api-key";

export class Trouble extends Error {
  constructor(title, advice, { keyNeeded = false, retry = true } = {}) {
    super(title);
    this.advice = advice;
    this.keyNeeded = keyNeeded;
    this.retry = retry;
  }
}

export const search = (question, signal) =>
  asked("/search", { method: "POST", body: JSON.stringify({ question, top_k: 10 }), signal });

export const article = (cid, question, signal) =>
  asked(`/articles/${cid.split("/").map(encodeURIComponent).join("/")}?${new URLSearchParams({ question })}`, { signal });

export const laws = () => asked("/laws", {});

export function keepKey(key) {
  sessionStorage.setItem(KEY, key); // gone when the window is closed
}

async function asked(path, options) {
  const headers = { accept: "application/json" };
  if (options.body) headers["content-type"] = "application/json";
  const key = sessionStorage.getItem(KEY);
  if (key) headers.authorization = `Bearer ${key}`;
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Trouble("Không kết nối được với máy chủ.", "Kiểm tra mạng rồi thử lại.");
  }
  let answer = null;
  try {
    answer = await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
  }
  if (response.ok && answer) return answer;
  throw trouble(response, answer);
}

function trouble(response, answer) {
  switch (response.status) {
    case 401:
      return new Trouble("Trang này cần khóa truy cập.", "Khóa do người quản trị cấp.", { keyNeeded: true });
    case 404:
      return new Trouble("Không có điều luật này.", "Có thể liên kết đã cũ. Hãy tìm lại bằng câu hỏi.", { retry: false });
    case 413:
    case 422:
      return new Trouble("Câu hỏi này không đọc được.", "Hãy viết một câu bằng chữ, không quá 2.000 ký tự.", { retry: false });
    case 429: {
      const seconds = Number(response.headers.get("retry-after")) || 1;
      return new Trouble("Đang có quá nhiều câu hỏi.", `Hãy thử lại sau ${seconds} giây.`);
    }
    case 502:
    case 503:
    case 504:
      return new Trouble("Máy tìm kiếm chưa sẵn sàng.", "Nó đang khởi động hoặc tạm dừng. Hãy thử lại sau ít giây.");
    default:
      return new Trouble("Máy chủ gặp lỗi.", `Mã lỗi: ${answer?.error?.code ?? response.status}. Hãy thử lại.`);
  }
}
